"""A receiver of webhooks for developers, which prints what arrives once its signature is verified."""

import json
import sys
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore
from rich.console import Console, Group
from rich.json import JSON
from rich.text import Text
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cloudmart.providers.http_client import HttpClient

HOST = "127.0.0.1"
LONGEST_BODY = 1024 * 1024
"""Bytes."""
SECONDS = 10.0
"""What the receiver to which a webhook is forwarded has for its response."""

ACCEPTED, REFUSED, UNREACHABLE = 204, 401, 502


class Listener(ThreadingHTTPServer):
    """Responds 204 to webhooks that are signed with the secret, or as the receiver at `forward_to`; 401 to others."""

    def __init__(
        self, port: int, console: Console, event_types: Collection[str] = (), forward_to: str = "", secret: str = ""
    ) -> None:
        """`event_types` are those to print; empty: all. Port 0 is any free one. Raises OSError if it is in use."""
        super().__init__((HOST, port), Handler)
        self.console, self.event_types, self.forward_to, self.secret = console, event_types, forward_to, secret
        self.seen: set[str] = set()
        self.client = HttpClient(
            connect_timeout=SECONDS, read_timeout=SECONDS, deadline=SECONDS, max_response=LONGEST_BODY
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"

    def receive(self, headers: dict[str, str], body: bytes) -> int:
        """Prints a webhook. Returns the status of the response to it."""
        try:
            Webhook(self.secret).verify(body, headers, json_parse=False)
            event = dict(json.loads(body))
        except (WebhookVerificationError, TypeError, ValueError) as error:
            self.console.print(f"Refused: {error}", style="bold red", markup=False)
            return REFUSED
        if not self.event_types or event.get("type") in self.event_types:
            self._print(event, is_repeat=headers["webhook-id"] in self.seen)
        self.seen.add(headers["webhook-id"])
        return self._forward(headers, body) if self.forward_to else ACCEPTED

    def _print(self, event: dict[str, Any], is_repeat: bool) -> None:
        facts = [str(event[name]) for name in ("type", "subject", "time") if name in event]
        if "sequence" in event:
            facts.append(f"sequence {event['sequence']}")
        if is_repeat:
            facts.append("received before: a repeat has the same id")
        data = JSON.from_data(event.get("data"), ensure_ascii=False)
        self.console.print(Group(Text("  ".join(facts), "bold"), data), soft_wrap=True)

    def _forward(self, headers: dict[str, str], body: bytes) -> int:
        """Returns the status of the response; UNREACHABLE without one."""
        passed_on = {name: value for name, value in headers.items() if name.startswith(("webhook-", "content-type"))}
        try:
            status = self.client.request("POST", self.forward_to, passed_on, body).status
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            self.console.print(f"{self.forward_to}: {type(error).__name__}", style="bold red", markup=False)
            return UNREACHABLE
        self.console.print(f"{self.forward_to}: {status}", style="dim", markup=False)
        return status

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A shop that closes the connection early is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = SECONDS

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            self.send_error(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.server.receive(headers, self.rfile.read(int(length))))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing: the webhook itself is printed."""
