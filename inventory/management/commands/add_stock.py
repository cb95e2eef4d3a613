"""Adds copies that have arrived."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from inventory.management.commands.show_stock import lines_of
from inventory.services import add_stock


class Command(BaseCommand):
    help = "Add copies of a book. A delivery with a --reference counts once, however often the command runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("book", help="the book's code")
        parser.add_argument("copies", type=int, help="the number of copies: at least 1")
        parser.add_argument("--reason", default="", help="the reason, for the history")
        parser.add_argument("--reference", help="your name for the delivery")
        parser.add_argument("--json", action="store_true", help="print the stock as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        book, copies, reference = options["book"], options["copies"], options["reference"]
        if copies < 1:
            raise CommandError("Add at least one copy; POST /inventory/{book_id}/adjust removes copies.")
        try:
            durable(add_stock)(book, copies, reason=options["reason"], actor="add_stock", reference=reference)
        except DomainError as refusal:
            raise CommandError(f"{book}: {refusal.detail}") from refusal
        (stock,) = lines_of([book])
        text = f"{book}: {stock['total_quantity']} on hand, {stock['available_quantity']} available"
        self.stdout.write(json.dumps(stock, ensure_ascii=False) if options["json"] else text)
