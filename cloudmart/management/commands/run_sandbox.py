"""Serves a payment gateway and a carrier for trying CloudMart."""

import signal
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.sandbox.courier import Reports
from cloudmart.sandbox.knobs import Knobs
from cloudmart.sandbox.server import Sandbox

KNOBS = ", ".join(knob.name for knob in fields(Knobs))
INSTRUCTIONS = """The sandbox is on {url}, and its ledger in {ledger}. To have CloudMart use it:

PAYMENT_GATEWAY=payments.gateways.http.HttpGateway
PAYMENT_GATEWAY_URL={url}/payments
CARRIER=shipping.carriers.http.HttpCarrier
CARRIER_URL={url}/carrier
"""


class Command(BaseCommand):
    help = "Serve a payment gateway and a carrier over HTTP, with their own ledger and faults on demand."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8001, help="0 for any free port (default: 8001)")
        parser.add_argument("--ledger", type=Path, default=Path("sandbox.sqlite3"), help="(default: sandbox.sqlite3)")
        for provider in ("payments", "carrier"):
            parser.add_argument(
                f"--{provider}",
                nargs="+",
                default=[],
                metavar="KNOB=NUMBER",
                help=f"faults: {KNOBS}; below 1 a share of the requests, from 1 a number of requests; latency in ms",
            )

        for status in ("ship", "deliver"):
            parser.add_argument(
                f"--{status}-after",
                type=float,
                metavar="SECONDS",
                help=f"{status} every parcel by itself after so long (default: on command only)",
            )
        parser.add_argument(
            "--webhook",
            default="",
            metavar="URL",
            help="report shipped and delivered parcels to this URL, signed with CARRIER_WEBHOOK_SECRET",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        payments, carrier = knobs_of(options["payments"]), knobs_of(options["carrier"])
        reports = Reports(
            options["ship_after"], options["deliver_after"], options["webhook"], secret_for(options["webhook"])
        )
        try:
            sandbox = Sandbox((options["host"], options["port"]), options["ledger"], payments, carrier, reports)
        except OSError as error:
            raise CommandError(str(error)) from error
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.default_int_handler)
        with sandbox, suppress(KeyboardInterrupt):
            url = f"http://{options['host']}:{sandbox.server_port}"
            self.stdout.write(INSTRUCTIONS.format(url=url, ledger=options["ledger"].resolve()))
            self.stdout.flush()
            sandbox.serve_forever()


def secret_for(url: str) -> str:
    """Returns the secret that signs webhooks to this URL; the first, if the setting has two."""
    if url and not url.startswith(("http://", "https://")):
        raise CommandError(f"{url} is no URL.")
    if url and not settings.CARRIER_WEBHOOK_SECRET:
        raise CommandError("--webhook needs the CARRIER_WEBHOOK_SECRET of the shop.")
    return settings.CARRIER_WEBHOOK_SECRET[0] if url else ""


def knobs_of(pairs: list[str]) -> Knobs:
    try:
        return Knobs.parse(pairs)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{' '.join(pairs)}: {error}. The knobs are {KNOBS}.") from error
