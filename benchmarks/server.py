"""The server under load, in processes of its own, as bin/serve starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.processes import descendants_of, free_port, kill, resident_memory

ROOT = Path(__file__).resolve().parents[1]
WORKERS, THREADS = len(os.sched_getaffinity(0)), 2
DISTANT_WORKERS = 4
WSGI = "cloudmart.wsgi:application"
TIMEOUT = 30
"""Seconds that the server may take to start, to respond to one request, and to stop."""

PLAIN = {"THROTTLE_USERS": "", "THROTTLE_STRANGERS": ""}
THROTTLED = {"THROTTLE_USERS": "100000/s", "THROTTLE_STRANGERS": "100000/s"}
"""Every request is counted, and none is refused."""
WITHOUT_WORKER = ("mail_is_tried", "events_are_passed_on")
"""The invariants that do not hold while no worker runs."""


def command_of(server: str, port: int) -> list[str]:
    """Returns the command that starts `server` with WORKERS processes of THREADS threads each."""
    commands = {
        "granian": f"bin/serve 127.0.0.1 {port}",
        "granian-wsgi": (
            f"granian --no-ws --http 1 --host 127.0.0.1 --port {port} --log-level error "
            f"--interface wsgi --workers {WORKERS} --blocking-threads {THREADS} {WSGI}"
        ),
        "distant": (
            f"granian --interface asginl --no-ws --http 1 --host 127.0.0.1 --port {port} --log-level error "
            f"--workers {DISTANT_WORKERS} benchmarks.distant:application"
        ),
        "gunicorn": (
            f"gunicorn --bind 127.0.0.1:{port} --log-level error "
            f"--worker-class gthread --workers {WORKERS} --threads {THREADS} {WSGI}"
        ),
    }
    return commands[server].split()


class Server:
    """A running server on a port of 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def wait_until_ready(self) -> None:
        """Raises SystemExit if the server does not respond within TIMEOUT seconds."""
        deadline = time.monotonic() + TIMEOUT
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The server did not start.")
            time.sleep(0.1)

    def worker_memory(self) -> float:
        """Returns the largest worker's resident memory in MB."""
        return max(map(resident_memory, descendants_of(self.process.pid)), default=0.0)

    def stop(self) -> None:
        """Stops the server and its workers. Kills them if they do not stop in time."""
        if self.process.poll() is not None:
            return
        pids = list(descendants_of(self.process.pid))
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            for pid in (self.process.pid, *pids):
                kill(pid)
            self.process.wait()

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def serving(server: str, settings: Mapping[str, str] = PLAIN) -> Iterator[Server]:
    """Runs `server` with these settings on a free port until the block ends."""
    port = free_port()
    command, settings = command_of(server, port), environment(settings)
    running = Server(subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL), port)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


@contextmanager
def working(settings: Mapping[str, str]) -> Iterator[int]:
    """Runs a worker with these settings until the block ends. Yields its process id once it has started.

    `settings` must not have mails printed.
    """
    command = [sys.executable, "manage.py", "run_worker"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE) as process:
        try:
            if next(iter(process.stdout or []), b"") != b"worker started\n":
                raise SystemExit("The worker did not start.")
            yield process.pid
        finally:
            process.terminate()


def manage(*arguments: str) -> str:
    """Runs a command of manage.py. Returns its output."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, check=True, cwd=ROOT, env=environment(PLAIN), stdout=subprocess.PIPE, text=True
    ).stdout


def audit(settings: Mapping[str, str], but_for: Collection[str] = ()) -> list[str]:
    """Runs `manage.py audit` without a time of grace. Returns the lines of what does not hold.

    `but_for` names invariants that do not hold during the measurement.
    """
    audit = subprocess.run(
        [sys.executable, "manage.py", "audit"],
        cwd=ROOT,
        env=environment({**settings, "AUDIT_GRACE": "0"}),
        capture_output=True,
        text=True,
    )
    lines = [line for line in audit.stdout.splitlines() if not line.startswith("ok ")]
    failed = [line for line in lines if not any(f" {name}:" in line for name in but_for)]
    return failed or [audit.stderr] * (audit.returncode != 0 and not lines)


def exit_on_sigterm(*_: Any) -> None:
    """Ends the process like Ctrl-C does, so that the servers are stopped too."""
    sys.exit(143)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the server: plain HTTP, no request log, errors to stderr, and these settings."""
    return {
        "SECRET_KEY": "benchmark",
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DEBUG": "false",
        "HTTPS": "false",
        "LOG_LEVEL": "WARNING",
        "LOG_STREAM": "stderr",
        "WEB_WORKERS": str(WORKERS),
        "WEB_THREADS": str(THREADS),
        **settings,
    }
