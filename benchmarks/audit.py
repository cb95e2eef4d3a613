"""Measures the time and memory of `manage.py audit` over many orders.

Run python -m benchmarks.audit with the DATABASE_URL of an empty database.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
os.environ["PROVIDER_BACKOFF"], os.environ["ALLOW_MAGIC_TOKENS"] = "0", "true"
django.setup()

from benchmarks.shop import create_tables, make_sample, multiply  # noqa: E402
from inventory.models import StockEvent  # noqa: E402
from orders.models import Order  # noqa: E402
from sagas.models import Event, SagaStepLog  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="minimum number of orders (default: 1,000,000)")
    options = parser.parse_args()
    create_tables()
    multiply(-(-options.orders // make_sample()))
    for table in Order, StockEvent, SagaStepLog, Event:
        print(f"{table.objects.count():,} {table._meta.verbose_name_plural}")
    started = time.perf_counter()
    audit = subprocess.run([sys.executable, "manage.py", "audit"], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(audit.stdout, end="")
    print(f"{seconds:.1f} s, {memory:.0f} MB")
    raise SystemExit(audit.returncode)


if __name__ == "__main__":
    main()
