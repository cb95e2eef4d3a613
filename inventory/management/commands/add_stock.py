"""Put copies that have arrived on the shelf."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from inventory.management.commands.show_stock import lines_of
from inventory.services import add_stock


class Command(BaseCommand):
    help = "Add copies of a book. A delivery that is named by --reference counts once, however often it is told."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("book", help="the book's code")
        parser.add_argument("copies", type=int, help="how many have arrived: at least 1")
        parser.add_argument("--reason", default="", help="why, for the history")
        parser.add_argument("--reference", help="your name for the delivery")
        parser.add_argument("--json", action="store_true", help="print the stock as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        book, copies, reference = options["book"], options["copies"], options["reference"]
        if copies < 1:
            raise CommandError("Add at least one copy; POST /inventory/{book_id}/adjust takes some away.")
        try:
            durable(add_stock)(book, copies, reason=options["reason"], actor="add_stock", reference=reference)
        except DomainError as refusal:
            raise CommandError(f"{book}: {refusal.detail}") from refusal
        (told,) = lines_of([book])
        text = f"{book}: {told['total_quantity']} on the shelf, {told['available_quantity']} to be had"
        self.stdout.write(json.dumps(told, ensure_ascii=False) if options["json"] else text)
