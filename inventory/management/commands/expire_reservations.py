"""Returns the copies of expired reservations to stock."""

from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.database.transactions import durable
from inventory.services import expire_reservations


class Command(BaseCommand):
    help = "Return the copies of all expired reservations to stock, in batches. Several of these may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="reservations in one transaction (default: 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        total, began = 0, perf_counter()
        while (expired := durable(expire_reservations)(options["batch"])) is not None:
            total += expired
            if options["verbosity"] > 1:
                self.stdout.write(f"{expired} in {perf_counter() - began:.3f} s")
            began = perf_counter()
        self.stdout.write(f"{total} reservations expired")
