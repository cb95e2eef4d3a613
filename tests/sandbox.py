"""A sandbox in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import ROOT, TIMEOUT, isolated

CLIENT = httpx.Client(trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0))  # noqa: S501
"""Shared, because a client of its own for each request would take much longer than the request."""


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """The sandbox's address and ledger, and its knobs."""

    url: str
    ledger: Path
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def turn(self, provider: str, **knobs: float) -> None:
        CLIENT.put(f"{self.url}/knobs/{provider}", json=knobs).raise_for_status()

    def move(self, parcel: str, status: str) -> None:
        """Ships or delivers the parcel with this key, or of this order."""
        CLIENT.put(f"{self.url}/parcels/{parcel}", json={"status": status}).raise_for_status()

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.process.kill()
        self.process.wait(timeout=TIMEOUT)


@contextmanager
def run_sandbox(ledger: Path, port: int = 0, *options: str, **env: str) -> Iterator[RunningSandbox]:
    """Runs manage.py run_sandbox on 127.0.0.1, on a free port by default, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_sandbox", "--port", str(port), "--ledger", str(ledger), *options],
        cwd=ROOT,
        env=isolated(os.environ | env),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        listening = re.search(r"is on (http://\S+),", process.stdout.readline() if process.stdout else "")
        assert listening, "the sandbox did not start"
        yield RunningSandbox(listening[1], ledger, process)
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT)
