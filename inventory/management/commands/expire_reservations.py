"""Give back the holds that the clock has passed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.kernel.transactions import durable
from inventory.services import expire_reservations


class Command(BaseCommand):
    help = "Give back every hold that has expired, in batches. Any number of these may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="holds a transaction (default: 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while found := durable(expire_reservations)(options["batch"]):
            total += found
        self.stdout.write(f"{total} expired reservations given back")
