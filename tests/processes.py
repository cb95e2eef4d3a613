"""Other processes for the tests: commands and the web server."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 60
"""Seconds that a process may take for one operation."""


def run_python(*arguments: str, env: dict[str, str], timeout: float = TIMEOUT) -> Any:
    """Runs Python in the project's folder until it ends. Raises CalledProcessError."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=isolated(env), capture_output=True, text=True, check=True, timeout=timeout
    )


class Killable:
    """A server in a process, which a test can kill and start again, and stop for a while."""

    process: subprocess.Popen[bytes] | None

    def kill(self) -> None:
        """Sends SIGKILL. Does nothing if it is not running."""
        if self.process:
            self.process.kill()
            self.process.wait(TIMEOUT)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The server accepts connections and never responds."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


class Server(subprocess.Popen[str]):
    """bin/serve on 127.0.0.1. It logs into a file, because a full pipe that nobody reads would stop it."""

    def __init__(self, port: int, env: dict[str, str], log: Path) -> None:
        with log.open("a") as appended:
            super().__init__([ROOT / "bin" / "serve", "127.0.0.1", str(port)], env=env, stdout=appended, text=True)
        self._log = log

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    @property
    def is_complete(self) -> bool:
        """True if all its processes have started. One that still starts misses SIGTERM, and is killed after 40 s."""
        return 0 < self.log.count("Spawning worker") == self.log.count("Started worker")


@contextmanager
def serving(port: int, env: dict[str, str]) -> Iterator[Server]:
    """Runs bin/serve until the block ends.

    The block starts once all its processes have started, and the first one accepts connections.
    """
    path = f"{Path(sys.executable).parent}:{env['PATH']}"
    with NamedTemporaryFile() as log:
        server = Server(port, isolated({**env, "PATH": path}), Path(log.name))
        try:
            wait_until(lambda: server.is_complete or server.poll() is not None)
            assert server.poll() is None, "the server did not start"
            wait_until(lambda: listens(port))
            yield server
        finally:
            server.terminate()
            server.wait(timeout=TIMEOUT)
            sys.stdout.write(server.log)


@contextmanager
def running_command(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Runs a management command on the tests' database, and kills it at the end of the block."""
    command = [sys.executable, "manage.py", *arguments]
    env = isolated({**os.environ, "DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1", **env})
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT)


def database_url() -> str:
    """Returns the URL of the tests' database for another process."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    return f"mysql://{user}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def wait_until(condition: Callable[[], bool]) -> None:
    """Polls the condition. Raises AssertionError after TIMEOUT seconds."""
    deadline = monotonic() + TIMEOUT
    while not condition():
        assert monotonic() < deadline, "the condition is not met in time"
        sleep(0.01)  # leaves the processor to the process that is waited for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def isolated(env: dict[str, str]) -> dict[str, str]:
    """Returns `env` with a SECRET_KEY and magic tokens, but without the project's .env. Mails go nowhere."""
    defaults = {"SECRET_KEY": "test", "ALLOW_MAGIC_TOKENS": "true", "EMAIL_URL": "dummymail://"}
    return {**defaults, **env, "ENV_FILE": os.devnull}
