"""What the load needs beside the server: the providers, a worker, and users, each process on the same database."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import User
from knox.models import get_token_model

from benchmarks.report.calls import CALLS_FOLDER
from benchmarks.server import PLAIN, ROOT, TIMEOUT, environment
from benchmarks.shop import add_users


@contextmanager
def providers(ledger: Path, calls: Path) -> Iterator[dict[str, str]]:
    """Runs the sandbox with its ledger in this file. Yields the settings of a server that uses it.

    The server's processes write their calls down in the folder `calls`.
    """
    with running("run_sandbox", "--port", "0", "--ledger", str(ledger), settings=PLAIN) as announcement:
        if not (address := re.search(r"http://[^\s,]+", announcement)):
            raise SystemExit("The sandbox did not start.")
        yield {
            **PLAIN,
            "ALLOW_MAGIC_TOKENS": "true",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "ERROR",  # the attempts that fail on purpose are warnings
            "PAYMENT_GATEWAY": "benchmarks.report.calls.TimedGateway",
            "PAYMENT_GATEWAY_URL": f"{address[0]}/payments",
            "CARRIER": "benchmarks.report.calls.TimedCarrier",
            "CARRIER_URL": f"{address[0]}/carrier",
            CALLS_FOLDER: str(calls),
        }


@contextmanager
def running(*command: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Runs a command of manage.py until the block ends. Yields its first line, once it has written it."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**environment(settings), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline() if process.stdout else ""
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT)


def issue_tokens(users: int) -> list[str]:
    """Adds customers, each with a user. Returns their API tokens."""
    add_users(users)
    tokens = get_token_model().objects
    return [tokens.create(user=user)[1] for user in User.objects.filter(customer__isnull=False).order_by("pk")[:users]]
