"""Provider calls as they were timed: adapters that write each attempt down, and the reading of what they wrote.

The server's processes append to files of their own in the folder that CALLS_FOLDER, in the environment, names.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from cloudmart.providers.http_provider import HttpProvider
from cloudmart.providers.outcomes import Outcome
from cloudmart.sandbox.ledger import entries_in
from payments.gateways.http import HttpGateway
from shipping.carriers.http import HttpCarrier

CALLS_FOLDER = "CALLS_FOLDER"
CHARGE, PARCEL = "charges", "parcels"


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt. Times are seconds since the epoch."""

    operation: str
    """charges, voids, refunds, parcels or call-offs."""
    key: str
    order_id: str
    """"" for what refers to a charge or parcel, not to an order."""
    started: float
    finished: float

    @property
    def milliseconds(self) -> float:
        return (self.finished - self.started) * 1000


class Timed(HttpProvider):
    def post(self, path: str, key: str, **body: Any) -> Outcome:
        with timed(path, key, str(body.get("order_id", ""))):
            return super().post(path, key, **body)


class TimedGateway(Timed, HttpGateway):
    """The payment gateway over HTTP, timed."""


class TimedCarrier(Timed, HttpCarrier):
    """The carrier over HTTP, timed."""


@contextmanager
def timed(operation: str, key: str, order_id: str) -> Iterator[None]:
    started = time.time()
    try:
        yield
    finally:
        call = Call(operation, key, order_id, started, time.time())
        _file(os.getpid()).write(json.dumps(asdict(call)) + "\n")


@cache
def _file(process: int) -> TextIO:
    return (Path(os.environ[CALLS_FOLDER]) / f"{process}.jsonl").open("a", buffering=1)


def calls_of_orders(folder: Path, ledger: Path) -> dict[str, list[Call]]:
    """Returns the calls by order, in the order of time. The sandbox's ledger knows whose charge a refund was."""
    lines = (line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines())
    known = {entry.key: entry.order_id for entry in entries_in(ledger)}
    return grouped((Call(**json.loads(line)) for line in lines), known)


def grouped(calls: Iterable[Call], known: dict[str, str]) -> dict[str, list[Call]]:
    by_order: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda each: each.started):
        if order_id := call.order_id or known.get(call.key):
            by_order[order_id].append(call)
    return dict(by_order)
