"""Receivers of webhooks for tests: real processes that keep what has arrived, and behave as they are told."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import ROOT, Killable, free_port, listens, wait_until
from tests.webhook_receiver import ACCEPTING, BEHAVIOUR, BEHAVIOURS, RECEIVED


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request that has arrived."""

    id: str
    path: str
    behaviour: str
    """How the receiver has responded, or meant to."""
    headers: dict[str, str]
    """Their names are in lower case."""
    body: str

    @property
    def event(self) -> dict[str, Any]:
        """Returns the CloudEvents document."""
        return dict(json.loads(self.body))

    @property
    def is_accepted(self) -> bool:
        return self.behaviour in ACCEPTING


@dataclass
class Receiver(Killable):
    """A receiver on a port of its own. What has arrived outlives its process."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, behaviour: str = "") -> str:
        """Returns a URL of which the receiver always behaves like this; without a behaviour, as `behave` says."""
        assert behaviour in ("", *BEHAVIOURS)
        return f"http://127.0.0.1:{self.port}/{behaviour}"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.webhook_receiver", str(self.folder), str(self.port)]

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(self.command, cwd=ROOT)
        wait_until(lambda: listens(self.port))

    def behave(self, behaviour: str) -> None:
        """Sets how it responds from the next request on: accept, slow, error, hang, redirect, garbage and so on."""
        assert behaviour in BEHAVIOURS
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"{BEHAVIOUR}.new"
        new.write_text(behaviour)
        new.replace(self.folder / BEHAVIOUR)

    def received(self) -> list[Webhook]:
        """Returns what has arrived, in this order, with repetitions."""
        return list(self._lines())

    def accepted(self) -> list[Webhook]:
        """Returns what it has accepted, in the order of arrival, with repetitions."""
        return [webhook for webhook in self._lines() if webhook.is_accepted]

    def _lines(self) -> Iterator[Webhook]:
        path = self.folder / RECEIVED
        for line in path.read_text().splitlines() if path.exists() else ():
            with suppress(json.JSONDecodeError):  # the receiver was killed while it wrote the line
                yield Webhook(**json.loads(line))


@contextmanager
def running_receiver(folder: Path) -> Iterator[Receiver]:
    """Runs a receiver until the block ends."""
    receiver = Receiver(folder, free_port())
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
