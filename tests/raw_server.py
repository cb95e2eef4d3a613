"""A server that responds to every request with the same bytes, at a given speed. The bytes need not be HTTP."""

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from select import select
from threading import Event, Thread
from typing import Any

from tests.processes import TIMEOUT

Pieces = Callable[[], Iterable[bytes]]


@dataclass
class RawServer:
    """A running server, and what has happened so far."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    """The head of each request."""
    connections: int = 0
    sent: int = 0
    """Bytes that the clients, and the buffers on the way to them, have accepted."""
    client_disconnected: Event = field(default_factory=Event)
    """Set once a client has closed its connection during a response."""


@contextmanager
def raw_server(pieces: Pieces, pause: float = 0) -> Iterator[RawServer]:
    """Responds to each request with the pieces, after `pause` seconds each, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as threads:
        server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        _start(threads, listener, _accept, listener, server, pieces, pause)
        yield server


def response(content: bytes, status: int = 200, encoding: str = "identity") -> bytes:
    """Returns a complete HTTP response."""
    head = f"HTTP/1.1 {status} \r\nContent-Encoding: {encoding}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _start(threads: ExitStack, until_shut: socket.socket, run: Callable[..., None], *arguments: Any) -> None:
    """Runs a thread whose socket is shut down at the end of the block, which ends it."""
    thread = Thread(target=run, args=arguments)
    thread.start()
    threads.callback(thread.join, TIMEOUT)
    threads.callback(_shut, until_shut)


def _shut(open_socket: socket.socket) -> None:
    with suppress(OSError):  # its thread has closed it
        open_socket.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: RawServer, pieces: Pieces, pause: float) -> None:
    with ExitStack() as threads, suppress(OSError):  # the block has ended
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            _start(threads, connection, _serve, connection, server, pieces, pause)


def _serve(connection: socket.socket, server: RawServer, pieces: Pieces, pause: float) -> None:
    with connection, connection.makefile("rb") as incoming, suppress(ConnectionError):
        while head := b"".join(takewhile(lambda line: line.strip(), incoming)):
            server.requests.append(head)
            if length := re.search(rb"content-length: *(\d+)", head, re.IGNORECASE):
                incoming.read(int(length[1]))
            if not _respond(connection, server, pieces(), pause):
                return


def _respond(connection: socket.socket, server: RawServer, pieces: Iterable[bytes], pause: float) -> bool:
    """Returns False if the client has disconnected before the end."""
    try:
        for piece in pieces:
            if _is_closed(connection, pause):
                raise ConnectionError
            connection.sendall(piece)
            server.sent += len(piece)
    except ConnectionError:
        server.client_disconnected.set()
        return False
    return True


def _is_closed(connection: socket.socket, pause: float) -> bool:
    """Waits for `pause` seconds. Returns True at once if the client disconnects."""
    readable, _, _ = select([connection], [], [], pause)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
