"""Give back the holds that the clock has passed."""

from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.database.transactions import durable
from inventory.services import expire_reservations


class Command(BaseCommand):
    help = "Give back every hold that has expired, in batches. Any number of these may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="holds a transaction (default: 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        total, began = 0, perf_counter()
        while (given_back := durable(expire_reservations)(options["batch"])) is not None:
            total += given_back
            if options["verbosity"] > 1:
                self.stdout.write(f"{given_back} in {perf_counter() - began:.3f} s")
            began = perf_counter()
        self.stdout.write(f"{total} expired reservations given back")
