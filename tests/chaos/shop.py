"""A shop on the topology of several machines: what it runs on, and what is left in it."""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.database import Watch
from benchmarks.topology import Topology, running_topology, wait_for
from tests.chaos.stories import BOOKS
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.processes import isolated
from tests.sandbox import RunningSandbox, run_sandbox

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
"""The length of the load in each style."""
INTERVAL = float(os.environ.get("CHAOS_INTERVAL", "5"))
"""Seconds between two faults."""
SEED = os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000))
NODES = [url for url in os.environ.get("CHAOS_DATABASE_URLS", "").split(",") if url]
"""The nodes of a replicated database, which takes the place of the topology's own."""
DRAIN = 120
"""Seconds in which the topology has to finish every order when the faults are over."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A running topology, its providers, and a customer's token."""

    topology: Topology
    sandbox: RunningSandbox
    token: str

    def findings(self) -> dict[str, Any]:
        """Returns what the database and the providers have now."""
        run = self.topology.run("-m", "tests.chaos.findings", str(self.sandbox.ledger))
        assert run.returncode == 0, run.stderr
        return dict(json.loads(run.stdout))

    def audit(self) -> list[str]:
        """Returns what `manage.py audit` finds, without a time of grace."""
        run = self.topology.manage("audit")
        assert run.returncode == 0 or "Invariants that do not hold" in run.stderr, run.stderr
        return [line for line in run.stdout.splitlines() if not line.startswith("ok ")]

    def drain(self) -> float:
        """Waits until no order is unfinished, and every invariant holds.

        Returns the seconds until the last order was finished. Raises TimeoutError.
        """
        watch, began = Watch(self.topology.database_url), time.monotonic()
        wait_for(lambda: not watch.unfinished(), DRAIN, "orders are still unfinished")
        finished = time.monotonic() - began
        wait_for(lambda: not self.audit(), DRAIN, "the audit is not clean")
        return finished


@contextmanager
def open_shop(folder: Path, *options: str) -> Iterator[Shop]:
    """Runs the topology with the sandbox as its providers until the block ends."""
    with run_sandbox(folder / "ledger.sqlite3") as sandbox:
        settings = isolated({**os.environ, **settings_for(sandbox)})
        with running_topology(folder / "scale", settings, *options) as topology:
            topology.manage("seed", "--books", str(BOOKS), "--copies", "1000000").check_returncode()
            yield Shop(topology, sandbox, topology.manage("issue_token", "tanaka").stdout.strip())


def settings_for(sandbox: RunningSandbox) -> dict[str, str]:
    """Returns the settings of the topology: the sandbox, short times, and throttles that count and refuse nobody."""
    return {
        "PAYMENT_GATEWAY": HTTP_GATEWAY,
        "PAYMENT_GATEWAY_URL": f"{sandbox.url}/payments",
        "CARRIER": HTTP_CARRIER,
        "CARRIER_URL": f"{sandbox.url}/carrier",
        "PROVIDER_READ_TIMEOUT": "2",
        "PROVIDER_DEADLINE": "4",
        "LEASE": "5",
        "SAGA_BACKOFF": "0.5",
        "SAGA_MAX_BACKOFF": "2",
        "SAGA_DEADLINE": "60",
        "AUDIT_GRACE": "0",
        "MAX_OPEN_DRAFTS": "1000000",
        "THROTTLE_USERS": "100000/s",
        "THROTTLE_STRANGERS": "100000/s",
        "NGINX_RATE": "100000r/s",
        "NGINX_BURST": "100000",
        "HTTPS": "false",
        "DATABASE_SINGLE_WRITER": "true",
    }
