"""One process of the topology, and what it has started."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from signal import Signals
from typing import Any

from cloudmart.deploy.local.health import Check
from cloudmart.deploy.local.sessions import kill, send


@dataclass(slots=True)
class Component:
    """A component: how it is started, where it listens, and how it is stopped."""

    name: str
    kind: str
    command: list[str]
    check: Check
    port: int | None
    """Where `check` asks it, if it listens."""
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics_port: int | None = None
    stop_signal: Signals = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, folder: Path) -> None:
        """Starts it in a session of its own. It gets SIGTERM if this process dies; its output goes to a log."""
        scratch = folder / "scratch" / self.name
        rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        with (folder / "logs" / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.command],
                env={**os.environ, **self.environment, "TMPDIR": str(scratch)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """The first process, which is the id of the session too."""
        return self.process.pid if self.process else None

    @property
    def has_ended(self) -> bool:
        """Returns True if the first process has ended. Its id, that of the session, stays taken until `kill_rest`."""
        return self.process is not None and (
            self.process.returncode is not None
            or os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        )

    @property
    def is_ready(self) -> bool:
        is_running = self.process is not None and not self.has_ended
        return is_running and (self.port is None or self.check(self.port))

    def ask_to_stop(self) -> None:
        """Sends the stop signal to the first process, after SIGCONT in case that it was stopped."""
        if self.process and not self.has_ended:
            send(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, self.stop_signal)  # Popen.send_signal would reap it, and free its id too early

    def kill_rest(self) -> None:
        """Kills whatever is left of the session, once."""
        if self.process and self.process.returncode is None:
            kill(self.process.pid)
            self.process.wait()

    def described(self) -> dict[str, Any]:
        """Returns what topology.json says of it."""
        return {"pid": self.pid, "kind": self.kind, "port": self.port, "metrics_port": self.metrics_port}
