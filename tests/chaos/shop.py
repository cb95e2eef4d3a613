"""A shop on the topology of several machines: what it runs on, and what is left in it."""

import json
import os
import random
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from benchmarks.database import Watch
from benchmarks.topology import Topology, running_topology, wait_for
from cloudmart.deploy.local.ports import is_free
from tests.chaos.stories import BOOKS
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.processes import isolated
from tests.receivers import Receiver
from tests.sandbox import RunningSandbox, run_sandbox

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
"""The length of the load in each style."""
INTERVAL = float(os.environ.get("CHAOS_INTERVAL", "5"))
"""Seconds between two faults."""
SEED = os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000))
NODES = [url for url in os.environ.get("CHAOS_DATABASE_URLS", "").split(",") if url]
"""The nodes of a replicated database, which takes the place of the topology's own."""
DRAIN = 120
"""Seconds in which the topology has to finish every order when the faults are over, and to tell the consumers."""
CONSUMER = 'exec python examples/consumer.py --url "$EVENTS_URL" --store {store}'
PORTS = range(18_000, 20_000)
"""Of the receiver: below those that bin/scale chooses."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A running topology, its providers, what receives its events, and a customer's token."""

    topology: Topology
    sandbox: RunningSandbox
    receiver: Receiver
    consumer: Path
    """The SQLite database of a consumer of the streams."""
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

    def deliver(self) -> None:
        """Waits until no event is pending, and the consumer has read the streams. Raises TimeoutError."""
        watch = Watch(self.topology.database_url)
        wait_for(lambda: not watch.undelivered(), DRAIN, "events are still pending")
        wait_for(self.has_read_everything, DRAIN, "the consumer has not read all events")

    def has_read_everything(self) -> bool:
        """Returns True if the consumer has processed the last entry of each stream."""
        with Redis.from_url(self.topology.events_url, decode_responses=True) as redis:
            streams = redis.keys("cloudmart:events:[0-9]*")
            ends = {stream: redis.xrevrange(stream, count=1)[0][0] for stream in streams}
        with closing(sqlite3.connect(self.consumer)) as store:
            return ends == dict(store.execute("SELECT stream, entry FROM positions"))


@contextmanager
def open_shop(folder: Path, *options: str) -> Iterator[Shop]:
    """Runs the topology with the sandbox as its providers, and its consumers, until the block ends."""
    receiver = Receiver(folder / "receiver", next(filter(is_free, random.sample(PORTS, len(PORTS)))))
    receiver.folder.mkdir()
    consumer = folder / "consumer.sqlite3"
    beside = ["--beside", "receiver", shlex.join(receiver.command)]
    beside += ["--beside", "consumer", f"sh -c {shlex.quote(CONSUMER.format(store=consumer))}"]
    with run_sandbox(folder / "ledger.sqlite3") as sandbox:
        settings = isolated({**os.environ, **settings_for(sandbox)})
        with running_topology(folder / "scale", settings, *beside, *options) as topology:
            topology.manage("seed", "--books", str(BOOKS), "--copies", "1000000").check_returncode()
            register(topology, receiver)
            yield Shop(topology, sandbox, receiver, consumer, topology.manage("issue_token", "tanaka").stdout.strip())


def register(topology: Topology, receiver: Receiver) -> None:
    """Has the topology send the webhooks of all events to the receiver."""
    headers = {"Authorization": f"Bearer {topology.operator_token}"}
    endpoints = f"{topology.url}/webhooks/endpoints"
    httpx.post(endpoints, json={"url": receiver.url()}, headers=headers, trust_env=False).raise_for_status()


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
        "EVENTS_KEPT": "1000000",
        "WEBHOOK_BACKOFF": "0.5",
        "WEBHOOK_MAX_BACKOFF": "2",
    }
