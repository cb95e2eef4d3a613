"""The API under load: a server in separate processes, and wrk as the client."""

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
TIMEOUT = 30
"""Seconds that the server may take to start, to respond to one request, and to stop."""


def command_of(server: str, port: int) -> list[str]:
    """Returns the command that starts `server` with WORKERS processes of THREADS threads each."""
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
        """Raises SystemExit if the server does not listen within TIMEOUT seconds."""
        deadline = time.monotonic() + TIMEOUT
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The server did not start.")
            time.sleep(0.1)

    def worker_memory(self) -> float:
        """Returns the largest worker's resident memory in MB."""
        return max((resident_memory(pid) for pid in children_of(self.process.pid)), default=0.0)

    def stop(self) -> None:
        """Stops the server and its workers. Kills them if they do not stop in time."""
        pids = children_of(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            for pid in (self.process.pid, *pids):
                kill(pid)
            self.process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def serving(server: str) -> Iterator[Server]:
    """Runs `server` on a free port until the block ends."""
    port = free_port()
    running = Server(subprocess.Popen(command_of(server, port), cwd=HERE.parent, env=quiet()), port)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def measure_api(server: Server, token: str, style: str, books: int, clients: int, seconds: int) -> Window:
    """Measures one window, in which every client sends its next order after each response."""
    command = [
        *("wrk", "--threads", str(min(2, clients)), "--connections", str(clients), "--duration", f"{seconds}s"),
        *(
            "--timeout",
            f"{TIMEOUT}s",
            "--script",
            str(HERE / "orders.lua"),
            f"http://127.0.0.1:{server.port}",
            "--",
            token,
            style,
            str(books),
        ),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + TIMEOUT).stdout
    result = json.loads(output.splitlines()[-1])
    return Window(
        (result["responses"] - result["not_2xx"]) / (result["duration"] / 1e6),
        *(result[name] / 1000 for name in ("p50", "p95", "p99")),
        not_2xx=result["not_2xx"] + result["broken"],
    )


def manage(*arguments: str) -> str:
    """Runs a command of manage.py. Returns its output."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, check=True, cwd=HERE.parent, env=quiet(), stdout=subprocess.PIPE, text=True).stdout


def quiet() -> dict[str, str]:
    """Returns the environment with the required settings: plain HTTP, no throttles, no request log."""
    plain = {"DEBUG": "false", "HTTPS": "false", "THROTTLE_USERS": "", "LOG_LEVEL": "WARNING"}
    return {"SECRET_KEY": "benchmark", **os.environ, **plain}


def free_port() -> int:
    """Returns a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """Returns the processes that `pid` has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_memory(pid: int) -> float:
    """Returns the resident memory of the process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
