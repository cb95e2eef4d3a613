"""The local topology of bin/scale, with its components as processes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import httpx

from benchmarks.processes import processor_seconds
from cloudmart.deploy.local.sessions import kill, members, send, session_of

ROOT = Path(__file__).resolve().parents[1]
START, STOP = 180, 90
"""Seconds that the whole topology may take to start, and to stop."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component as it runs now. Its process id is another one after each restart."""

    name: str
    kind: str
    pid: int
    port: int | None

    @property
    def is_alive(self) -> bool:
        """Returns True if its process exists and is no zombie."""
        return session_of(self.pid) is not None

    @property
    def listens(self) -> bool:
        """Returns True if it accepts connections, or has no port."""
        with suppress(OSError):
            return self.port is None or not socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        return False

    def kill(self) -> None:
        """Sends SIGKILL to all its processes, as the death of its machine would."""
        kill(self.pid)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops all its processes with SIGSTOP, and continues them when the block ends."""
        send(self.pid, SIGSTOP)
        try:
            yield
        finally:
            send(self.pid, SIGCONT)


@dataclass(frozen=True, slots=True)
class Topology:
    """A running bin/scale."""

    folder: Path
    supervisor: subprocess.Popen[bytes]
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """Returns the address of nginx."""
        return str(self._written()["url"])

    @property
    def database_url(self) -> str:
        return str(self._written()["database_url"])

    @property
    def events_url(self) -> str:
        """Returns the address of the Redis that has the streams of events."""
        return str(self._written()["events_url"])

    @property
    def operator_token(self) -> str:
        return str(self._written()["tokens"]["operator"])

    def components(self, kind: str = "") -> list[Component]:
        """Returns the components of this kind, or all, as they run now."""
        every = self._written()["components"]
        return [
            Component(name, each["kind"], each["pid"], each.get("port"))
            for name, each in every.items()
            if each["pid"] and kind in ("", each["kind"])
        ]

    @contextmanager
    def without(self, *kinds: str) -> Iterator[None]:
        """Kills every component of these kinds, and keeps them dead until the block ends: nobody restarts anything.

        Afterwards it waits until every component is there again.
        """
        self.supervisor.send_signal(SIGSTOP)
        try:
            for component in self.components():
                if component.kind in kinds:
                    component.kill()
            yield
        finally:
            self.supervisor.send_signal(SIGCONT)
            self.wait_until_ready()

    def processor_seconds(self) -> Counter[str]:
        """Returns the processor time that the running processes of each kind have used."""
        used: Counter[str] = Counter()
        for component in self.components():
            for pid in members(component.pid):
                with suppress(FileNotFoundError):
                    used[component.kind] += processor_seconds(pid)
        return used

    def manage(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of manage.py on the topology's database."""
        return self.run("manage.py", *arguments, **env)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs Python in the topology's environment, until it ends."""
        command = [sys.executable, *arguments]
        environment = {**self.settings, "DATABASE_URL": self.database_url, **env}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def wait_until_ready(self) -> None:
        """Waits until every component listens, and nginx passes requests on to a server that is ready.

        Raises TimeoutError, or ChildProcessError if bin/scale has ended.
        """
        wait_for(self._is_ready, START, "bin/scale is not ready")

    def _is_ready(self) -> bool:
        if self.supervisor.poll() is not None:
            raise ChildProcessError((self.folder / "scale.log").read_text()[-2000:])
        try:
            is_ready = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except (OSError, KeyError, httpx.HTTPError):
            return False
        return is_ready and all(each.is_alive and each.listens for each in self.components())

    def _written(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "topology.json").read_text()))


@contextmanager
def running_topology(folder: Path, settings: Mapping[str, str], *options: str) -> Iterator[Topology]:
    """Runs bin/scale until the block ends. The block starts once every component is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **settings, "ENV_FILE": os.devnull}
    command = ["setpriv", "--pdeathsig", "TERM", str(ROOT / "bin" / "scale"), "--folder", str(folder), *options]
    with (folder / "scale.log").open("wb") as log:
        supervisor = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    topology = Topology(folder, supervisor, environment)
    try:
        topology.wait_until_ready()
        yield topology
    finally:
        supervisor.terminate()
        supervisor.wait(STOP)


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Polls the condition. Raises TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.1)
