"""What the database and the providers have after the chaos: python -m tests.chaos.findings LEDGER.

Runs in the environment of the topology, because the tests' own database is another one. Prints a JSON object.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
django.setup()

from benchmarks.report.endings import endings, strangers  # noqa: E402
from orders.models import Order, Status  # noqa: E402
from sagas.models import SagaInstance  # noqa: E402


def findings(ledger: Path) -> dict[str, Any]:
    drafts = set(Order.objects.filter(status=Status.DRAFT).values_list("pk", flat=True))
    return {
        "orders": [[str(pk), *rest] for pk, *rest in Order.objects.values_list("pk", "address", "status")],
        "attention": list(SagaInstance.objects.exclude(attention=None).values_list("attention", flat=True)),
        "broken": {each.order_id: each.broken for each in endings(ledger, but=drafts) if each.broken},
        "strangers": sorted(strangers(ledger)),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(findings(Path(sys.argv[1]))))
