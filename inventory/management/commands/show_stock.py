"""Shows the stock."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from inventory.errors import UnknownBook
from inventory.selectors import books_now
from inventory.stock_serializers import StockOutput

COLUMNS = ("book_id", "title", "total_quantity", "reserved_quantity", "available_quantity")


class Command(BaseCommand):
    help = "Show the total, reserved and available copies of these books, or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("books", nargs="*", metavar="BOOK", help="a book's code (default: all books)")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lines = lines_of(options["books"])
        except UnknownBook as refusal:
            raise CommandError(f"{refusal.detail} {', '.join(refusal.details['book_ids'])}") from refusal
        if options["json"]:
            for stock in lines:
                self.stdout.write(json.dumps(stock, ensure_ascii=False))
        else:
            self.show(lines)

    def show(self, lines: Iterable[dict[str, Any]]) -> None:
        table = Table(*(name.removesuffix("_quantity") for name in COLUMNS))
        for stock in lines:
            table.add_row(*(str(stock[name]) for name in COLUMNS))
        Console(file=self.stdout).print(table)  # type: ignore[arg-type]


def lines_of(book_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The current stock of these books, or of all when the list is empty. Raises UnknownBook."""
    books = books_now(list(book_ids) or None).order_by("pk")
    return (dict(StockOutput(book).data) for book in books.iterator())
