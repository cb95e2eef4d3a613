"""Processes besides the one that runs the tests."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60
"""Seconds that a process may take for anything."""


def run_python(*arguments: str, env: dict[str, str]) -> Any:
    """Python in the project's folder, until it ends. Raises CalledProcessError."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=bare(env), capture_output=True, text=True, check=True, timeout=PATIENCE
    )


@contextmanager
def serving(port: int, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The web server on 127.0.0.1, as bin/serve starts it, from when it answers until the block ends."""
    path = f"{Path(sys.executable).parent}:{env['PATH']}"
    server = subprocess.Popen(
        [ROOT / "bin" / "serve", "127.0.0.1", str(port)],
        env=bare({**env, "PATH": path}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("Started worker" in line for line in server.stdout or ()), "the server did not start"
        deadline = monotonic() + PATIENCE
        while not listens(port):
            assert monotonic() < deadline, "the server does not answer"
        yield server
    finally:
        server.terminate()
        sys.stdout.write(server.communicate(timeout=PATIENCE)[0])


@contextmanager
def managing(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A management command on the tests' own database, until the block ends; it is killed then, if it still runs."""
    command = [sys.executable, "manage.py", *arguments]
    env = bare({**os.environ, "DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1", **env})
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def database_url() -> str:
    """Where another process finds the database that the tests use."""
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    user = quote(known["USER"]) + (f":{quote(known['PASSWORD'])}" if known["PASSWORD"] else "")
    return f"mysql://{user}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


def wait_until(condition: Callable[[], bool]) -> None:
    """Ask the database again and again. Raises AssertionError when it takes too long."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "it takes too long"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def bare(env: dict[str, str]) -> dict[str, str]:
    """`env` with the one setting that has no default, with magic tokens, and with nothing from .env."""
    return {"SECRET_KEY": "test", "ALLOW_MAGIC_TOKENS": "true", **env, "ENV_FILE": os.devnull}
