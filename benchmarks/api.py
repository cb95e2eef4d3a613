"""The API as a client sees it: a server in processes of its own, and wrk to load it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.window import Window

HERE = Path(__file__).resolve().parent
WORKERS, THREADS = 4, 4
WSGI, ASGI = "cloudmart.wsgi:application", "cloudmart.asgi:application"
PATIENCE = 30
"""Seconds that the server may take to start, to answer one request, and to stop."""


def command_of(server: str, port: int) -> list[str]:
    """How to start `server` with WORKERS processes of THREADS threads each."""
    granian = f"granian --no-ws --http 1 --host 127.0.0.1 --port {port} --log-level error --workers {WORKERS}"
    commands = {
        "granian": f"{granian} --interface asginl --backpressure 1000 {ASGI}",
        "granian-wsgi": f"{granian} --interface wsgi --blocking-threads {THREADS} {WSGI}",
        "gunicorn": (
            f"gunicorn --bind 127.0.0.1:{port} --log-level error "
            f"--worker-class gthread --workers {WORKERS} --threads {THREADS} {WSGI}"
        ),
    }
    return [sys.executable, "-m", *commands[server].split()]


class Server:
    """A running server on a port of 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def wait_until_ready(self) -> None:
        """Raises SystemExit when it does not listen soon."""
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The server did not start.")
            time.sleep(0.1)

    def worker_memory(self) -> float:
        """The largest worker's resident memory, in MB."""
        return max((resident_memory(pid) for pid in children_of(self.process.pid)), default=0.0)

    def stop(self) -> None:
        """End it with its workers, by force when asking does not help."""
        pids = children_of(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in (self.process.pid, *pids):
                end_by_force(pid)
            self.process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def serving(server: str) -> Iterator[Server]:
    """`server` on a free port, for as long as the block lasts."""
    port = free_port()
    running = Server(subprocess.Popen(command_of(server, port), cwd=HERE.parent, env=quiet()), port)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def measure_api(server: Server, token: str, style: str, books: int, clients: int, seconds: int) -> Window:
    """One window of so many seconds, in which every client sends its next order when the last is answered."""
    command = [
        *("wrk", "--threads", str(min(2, clients)), "--connections", str(clients), "--duration", f"{seconds}s"),
        *(
            "--timeout",
            f"{PATIENCE}s",
            "--script",
            str(HERE / "orders.lua"),
            f"http://127.0.0.1:{server.port}",
            "--",
            token,
            style,
            str(books),
        ),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + PATIENCE).stdout
    seen = json.loads(output.splitlines()[-1])
    return Window(
        (seen["answers"] - seen["not_2xx"]) / (seen["duration"] / 1e6),
        *(seen[name] / 1000 for name in ("p50", "p95", "p99")),
        not_2xx=seen["not_2xx"] + seen["broken"],
    )


def manage(*arguments: str) -> str:
    """What a command of manage.py prints."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, check=True, cwd=HERE.parent, env=quiet(), stdout=subprocess.PIPE, text=True).stdout


def quiet() -> dict[str, str]:
    """The environment, with what the settings need, over plain HTTP, and without throttles or a log of every order."""
    plain = {"DEBUG": "false", "HTTPS": "false", "THROTTLE_USERS": "", "LOG_LEVEL": "WARNING"}
    return {"SECRET_KEY": "benchmark", **os.environ, **plain}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_memory(pid: int) -> float:
    """MB of memory that the process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def end_by_force(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
