"""The sandbox over HTTP.

POST /payments/charges, /payments/refunds, /payments/voids, /carrier/parcels and /carrier/call-offs carry out a request
once for each Idempotency-Key. GET /payments/requests/KEY and /carrier/requests/KEY repeat the response to a key.
GET /carrier/parcels/PARCEL says where a parcel is: PARCEL is its key, its tracking number, or its order's id. PUT
/parcels/PARCEL moves it to the `status` shipped or delivered, which a webhook reports.
GET /ledger?order_id=…&key=… lists what was done, and what is left of it. GET /ledger/payments?after=KEY and
/ledger/carrier list what is left of all, in pages.
GET /wallets/NAME shows the balance of a wallet, which is named by its payment token or as customer:CODE. POST
/wallets/NAME/top-ups adds to it, once for each Idempotency-Key.
GET /knobs shows the faults; PUT /knobs/payments and /knobs/carrier set them, and reset those that are not named.
"""

import json
import logging
import sqlite3
import sys
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cloudmart.providers.wallets import wallet_named
from cloudmart.sandbox.courier import Courier, Reports
from cloudmart.sandbox.knobs import Board, Knobs
from cloudmart.sandbox.ledger import Ledger, Response, entries_in, left_after, live, reading
from cloudmart.sandbox.parcels import Parcels
from cloudmart.sandbox.providers import Provider
from cloudmart.sandbox.rules import CallOff, Charge, Operation, Parcel, Refund, TopUp, Void
from cloudmart.sandbox.wallets import Account

logger = logging.getLogger(__name__)

PAYMENTS, CARRIER = "payments", "carrier"

OPERATIONS: dict[tuple[str, str], type[Operation]] = {
    (PAYMENTS, "charges"): Charge,
    (PAYMENTS, "refunds"): Refund,
    (PAYMENTS, "voids"): Void,
    (CARRIER, "parcels"): Parcel,
    (CARRIER, "call-offs"): CallOff,
}


class Sandbox(ThreadingHTTPServer):
    """Both providers, on one port and with one ledger."""

    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        path: Path,
        payments: Knobs,
        carrier: Knobs,
        reports: Reports = Reports(),  # noqa: B008, it cannot be changed
    ) -> None:
        self.path = path
        self.ledger = Ledger(path)
        self.providers = {
            PAYMENTS: Provider(PAYMENTS, self.ledger, Board(payments)),
            CARRIER: Provider(CARRIER, self.ledger, Board(carrier)),
        }
        self.courier = Courier(self.ledger, reports)
        super().__init__(address, Handler)  # closes the server if the address is in use
        self.courier.start()

    def server_close(self) -> None:
        super().server_close()
        self.courier.stop()
        self.ledger.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closes the connection early is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Sandbox
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response is sent in one piece

    def do_GET(self) -> None:
        try:
            response = self._response()
        except (TypeError, ValueError, sqlite3.IntegrityError) as error:
            response = Response(400, {"code": "malformed", "detail": str(error)})
        if response:
            self._send(response)
        else:
            self.close_connection = True

    do_POST = do_PUT = do_GET  # noqa: N815, the names that BaseHTTPRequestHandler calls

    def _response(self) -> Response | None:
        body, url, providers = self._body(), urlsplit(self.path), self.server.providers
        match self.command, *url.path.strip("/").split("/"):
            case "POST", name, noun if (name, noun) in OPERATIONS:
                return self._take(providers[name], OPERATIONS[name, noun](**body))
            case "POST", "wallets", wallet, "top-ups":
                return self._take(providers[PAYMENTS], TopUp(unquote(wallet), **body))
            case "GET", "wallets", wallet:
                return _account(self.server.path, unquote(wallet))
            case "GET", "carrier", "parcels", parcel:
                return providers[CARRIER].serve(partial(_parcel, self.server.ledger, unquote(parcel)))
            case "PUT", "parcels", parcel:
                return _parcel(self.server.ledger, unquote(parcel), **body)
            case "GET", name, "requests", key if name in providers:
                return providers[name].serve(partial(providers[name].look_up, unquote(key)))
            case "GET", "ledger":
                return _ledger(self.server.path, **dict(parse_qsl(url.query)))
            case "GET", "ledger", name if name in providers:
                return _page(self.server.path, name, **dict(parse_qsl(url.query)))
            case "GET", "knobs":
                return Response(200, {name: provider.board.values() for name, provider in providers.items()})
            case "PUT", "knobs", name if name in providers:
                providers[name].board.turn(Knobs(**body))
                return Response(200, body)
        return Response(404, {"code": "no_such_path", "detail": "There is no such path."})

    def _take(self, provider: Provider, operation: Operation) -> Response | None:
        return provider.serve(partial(provider.take, self._key(), operation))

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")

    def _key(self) -> str:
        if key := self.headers["Idempotency-Key"]:
            return str(key)
        raise ValueError("An Idempotency-Key is required.")

    def _send(self, response: Response) -> None:
        content = json.dumps(response.body).encode()
        self.send_response(response.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if response.status in {409, 503}:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, text: str, *values: Any) -> None:
        logger.debug(text, *values)


def _parcel(ledger: Ledger, name: str, status: str | None = None) -> Response:
    """Returns the parcel, moved to this status."""
    with ledger.transaction(CARRIER) as page:
        parcels = Parcels(page.file)
        parcel = parcels.find(name)
        if parcel is None:
            return Response(404, {"code": "no_such_parcel", "detail": "There is no such parcel."})
        return Response(200, (parcels.move(parcel, status) if status else parcel).as_json())


def _ledger(path: Path, order_id: str | None = None, key: str | None = None) -> Response:
    entries = entries_in(path, order_id, key)
    left = [
        {"provider": provider, "order_id": order_id, "key": key, "left": left}
        for (provider, order_id, key), left in live(entries).items()
    ]
    return Response(200, {"live": left, "entries": [asdict(entry) for entry in entries]})


def _page(path: Path, provider: str, after: str = "") -> Response:
    left, last = left_after(path, provider, after)
    return Response(200, {"left": left, "next": last})


def _account(path: Path, wallet: str) -> Response:
    with reading(path) as file:
        return Response(200, Account(file, wallet_named(wallet)).as_json())
