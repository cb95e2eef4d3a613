"""Prints the webhooks of this shop, for developers."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from cloudmart.outbox.types import EventType
from cloudmart.webhooks.listening import Listener
from cloudmart.webhooks.models import WebhookEndpoint
from cloudmart.webhooks.registration import register, remove

DESCRIPTION = "manage.py listen, until it ends"
ACTOR = "listen"


class Command(BaseCommand):
    help = (
        "Print the webhooks that arrive, once their signature is verified. Registers a temporary endpoint on this "
        "machine in this shop, and removes it at the end. A worker must run: it sends them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1 (default: any free one)")
        parser.add_argument(
            "--events", default="", metavar="TYPES", help="print these only, separated by commas (default: all)"
        )
        parser.add_argument(
            "--forward-to",
            default="",
            metavar="URL",
            help="pass each verified webhook on to this URL, and its response to the shop",
        )
        parser.add_argument(
            "--secret", default="", metavar="whsec_…", help="verify with this secret, and register no endpoint"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs until SIGINT or SIGTERM."""
        event_types = types_of(options["events"])
        if options["forward_to"] and not options["forward_to"].startswith(("http://", "https://")):
            raise CommandError(f"{options['forward_to']} is no URL.")
        if not options["secret"] and not settings.WEBHOOK_PRIVATE_ADDRESSES:
            raise CommandError(
                "This shop sends no webhook to this machine: WEBHOOK_PRIVATE_ADDRESSES is off. On a developer's "
                "machine set PROFILE=dev; else register a public URL that leads here, and give its --secret."
            )
        console = Console()
        try:
            listener = Listener(options["port"], console, event_types, options["forward_to"], options["secret"])
        except OSError as error:
            raise CommandError(str(error)) from error
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.default_int_handler)
        with listener, suppress(KeyboardInterrupt), registered(listener, event_types):
            console.print(f"Listening on {listener.url}. Ctrl-C ends it.", markup=False)
            listener.serve_forever()


def types_of(text: str) -> list[str]:
    """Raises CommandError for a type that does not exist."""
    types = [each.strip() for each in text.split(",") if each.strip()]
    if unknown := [each for each in types if each not in EventType]:
        raise CommandError(f"There is no type {unknown[0]}. The types are {', '.join(EventType)}.")
    return types


@contextmanager
def registered(listener: Listener, event_types: list[str]) -> Iterator[None]:
    """Has the shop send these events to the listener within the block, unless it has a secret already."""
    if listener.secret:
        yield
        return
    endpoint = WebhookEndpoint(url=listener.url, description=DESCRIPTION, event_types=event_types)
    register(endpoint, ACTOR)
    listener.secret = endpoint.secret
    try:
        yield
    finally:
        remove(endpoint.pk)
