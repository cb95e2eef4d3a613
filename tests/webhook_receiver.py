"""A receiver of webhooks, as a process of its own: python -m tests.webhook_receiver FOLDER PORT.

It appends each webhook to FOLDER/received.jsonl before it responds, so that it can be killed at any time. How it
responds is the last part of the request's path if that is the name of a behaviour, or else what FOLDER/behaviour says.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

RECEIVED, BEHAVIOUR = "received.jsonl", "behaviour"
ACCEPT = "accept"
ACCEPTING = {ACCEPT, "slow"}
DRIP = 0.2
"""Seconds between two bytes of a response that never ends."""
SLOWNESS = 1.2
"""Seconds for which a slow receiver works before it responds."""


class Handler(BaseHTTPRequestHandler):
    """Records a webhook, and responds as it is told."""

    protocol_version = "HTTP/1.1"
    server: "Receiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        behaviour = self.server.behaviour(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.record(
            {"id": headers.get("webhook-id"), "path": self.path, "behaviour": behaviour, "headers": headers}
            | {"body": body.decode()}
        )
        try:
            BEHAVIOURS[behaviour](self)
        except ConnectionError:
            self.close_connection = True

    def respond(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def accept(self) -> None:
        self.respond(204)

    def slow(self) -> None:
        time.sleep(SLOWNESS)
        self.accept()

    def error(self) -> None:
        self.respond(500)

    def gone(self) -> None:
        self.respond(410)

    def redirect(self) -> None:
        """Responds that the webhook should go to another path of this receiver, which would accept it."""
        self.respond(307, Location=f"http://{self.headers['Host']}/redirected/{ACCEPT}")

    def hang(self) -> None:
        """Responds nothing until the client has disconnected."""
        self.rfile.read(1)
        self.close_connection = True

    def close(self) -> None:
        self.close_connection = True

    def die_before(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_within(self) -> None:
        self.wfile.write(b"HTTP/1.1 2")
        os.kill(os.getpid(), signal.SIGKILL)

    def die_after(self) -> None:
        self.respond(204)
        os.kill(os.getpid(), signal.SIGKILL)

    def garbage(self) -> None:
        """Sends bytes that are no HTTP, as fast as they are read, without end."""
        while True:
            self.wfile.write(os.urandom(65536))

    def endless(self) -> None:
        """Responds with 200, and a body without end, as fast as it is read."""
        self.start_body()
        while True:
            self.wfile.write(b"x" * 65536)

    def drip(self) -> None:
        """Responds with 200, and a body without end, byte by byte."""
        self.start_body()
        while True:
            self.wfile.write(b"x")
            time.sleep(DRIP)

    def start_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: what has arrived is in the file."""


BEHAVIOURS: dict[str, Callable[[Handler], None]] = {
    each.__name__: each
    for each in (
        Handler.accept,
        Handler.slow,
        Handler.error,
        Handler.gone,
        Handler.redirect,
        Handler.hang,
        Handler.close,
        Handler.die_before,
        Handler.die_within,
        Handler.die_after,
        Handler.garbage,
        Handler.endless,
        Handler.drip,
    )
}


class Receiver(ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self._folder, self._lock = folder, Lock()
        self._file = (folder / RECEIVED).open("ab", buffering=0)
        self._file.write(b"\n")  # ends the line that a killed process may have left unfinished

    def behaviour(self, path: str) -> str:
        """Returns the name of how it responds to a request of this path."""
        named = path.rpartition("/")[2]
        if named in BEHAVIOURS:
            return named
        try:
            return (self._folder / BEHAVIOUR).read_text()
        except FileNotFoundError:
            return ACCEPT

    def record(self, webhook: dict[str, Any]) -> None:
        """Appends a line, which a SIGKILL afterwards does not undo."""
        with self._lock:
            self._file.write(json.dumps(webhook).encode() + b"\n")

    def process_request(self, request: Any, client_address: Any) -> None:
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().process_request(request, client_address)


if __name__ == "__main__":
    Receiver(Path(sys.argv[1]), int(sys.argv[2])).serve_forever()
