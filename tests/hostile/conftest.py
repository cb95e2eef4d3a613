"""The real web server, for tests of hostile clients."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import children_of
from tests.processes import TIMEOUT, free_port, run_python, serving

QUIET_WITH_SHORT_TIMEOUTS = {
    "REQUEST_HEADER_TIMEOUT": "2",
    "REQUEST_BODY_TIMEOUT": "2",
    "REQUEST_QUEUE_TIMEOUT": "2",
    "RESPONSE_READ_TIMEOUT": "2",
    "THROTTLE_USERS": "",
    "THROTTLE_STRANGERS": "",
    "LOG_LEVEL": "WARNING",  # the log is not read while the server runs
}


@dataclass(frozen=True, slots=True)
class Shop:
    """A running server, and the token of a customer."""

    port: int
    pid: int
    token: str
    folder: Path
    """For its temporary files."""

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Sends a request over a new connection. Returns the status and content of the response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        try:
            connection.request(method, path, content, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            text = response.read()
            is_json = (response.getheader("Content-Type") or "").endswith("json")
            return response.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def order(self) -> tuple[int, Any]:
        """Orders one copy of a book with plenty of stock."""
        order = {"book_id": "made-up-0000001", "quantity": 1, "payment_method": "e_money"}
        return self.request("POST", "/orders", order, Authorization=f"Bearer {self.token}")

    def connect(self, *lines: bytes) -> socket.socket:
        """Returns a connection over which these lines of an unfinished request were sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        client.sendall(b"".join(line + b"\r\n" for line in lines))
        return client

    def master(self) -> int:
        """Returns the process id of the server's master."""
        (master,) = servers_under(self.pid)
        return master

    def workers(self) -> set[int]:
        """Returns the process ids of the server's workers."""
        return servers_under(self.master())


def servers_under(pid: int) -> set[int]:
    """Returns the web server's processes that `pid` has started, even if they do not serve yet."""
    return {child for child in children_of(pid) if is_of_server(child)}


def is_of_server(pid: int) -> bool:
    try:
        return "granian" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Returns a SQLite file to copy, which has a book and a customer, and the customer's token."""
    file = tmp_path_factory.mktemp("seeded") / "shop.sqlite3"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{file}"}

    def manage(*arguments: str) -> str:
        return str(run_python("manage.py", *arguments, env=environment).stdout.strip())

    manage("migrate", "--verbosity", "0")
    manage("seed", "--demo-users", "--books", "1")
    return file, manage("issue_token", "tanaka")


@pytest.fixture(scope="session")
def open_shop(seeded: tuple[Path, str]) -> Callable[..., AbstractContextManager[Shop]]:
    """Runs a server over a new SQLite file, with few threads and short timeouts."""
    seeded_file, token = seeded

    @contextmanager
    def open_shop(folder: Path, **settings: str) -> Iterator[Shop]:
        file = shutil.copy(seeded_file, folder)
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{file}",
            "TMPDIR": str(folder),
            "HTTPS": "false",
            "WEB_WORKERS": "2",
            "WEB_THREADS": "2",
            **QUIET_WITH_SHORT_TIMEOUTS,
            **settings,
        }
        port = free_port()
        with serving(port, environment) as server:
            yield Shop(port, server.pid, token, folder)

    return open_shop


@pytest.fixture(scope="module")
def shop(open_shop: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop
