"""Adds copies that have arrived."""

import json
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from inventory.errors import BookExists
from inventory.management.commands.show_stock import lines_of
from inventory.models import Book
from inventory.services import add_stock, create_book


@durable
def add_to(book_id: str, new: Book | None, copies: int, *, actor: str, **more: Any) -> None:
    """Adds the copies, to the `new` book if there is none of this code. Raises what `add_stock` raises."""
    if new:
        with suppress(BookExists):
            create_book(new, actor=actor)
    add_stock(book_id, copies, actor=actor, **more)


def new_book(book_id: str, title: str | None, price: Any) -> Book:
    """Returns a book that is not stored. Raises CommandError if a value is missing or invalid."""
    if title is None or price is None:
        raise CommandError("--create needs --title and --price.")
    book = Book(id=book_id, title=title, price=price)
    try:
        book.clean_fields()
    except ValidationError as error:
        problems = (f"{column}: {' '.join(texts)}" for column, texts in error.message_dict.items())
        raise CommandError(" ".join(problems)) from error
    return book


class Command(BaseCommand):
    help = (
        "Add copies of a book. With --create, a book that does not exist is created; an existing one keeps its title "
        "and price. A delivery with a --reference counts once, however often the command runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("book", help="the book's code")
        parser.add_argument("copies", type=int, help="the number of copies: at least 1")
        parser.add_argument("--reason", default="", help="the reason, for the history")
        parser.add_argument("--reference", help="your name for the delivery")
        parser.add_argument("--create", action="store_true", help="create the book if it does not exist")
        parser.add_argument("--title", help="with --create: the title of a new book")
        parser.add_argument("--price", type=int, help="with --create: its price, in minor units")
        parser.add_argument("--json", action="store_true", help="print the stock as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        book, copies, reference = options["book"], options["copies"], options["reference"]
        if copies < 1:
            raise CommandError("Add at least one copy; POST /inventory/{book_id}/adjust removes copies.")
        new = new_book(book, options["title"], options["price"]) if options["create"] else None
        try:
            add_to(book, new, copies, reason=options["reason"], actor="add_stock", reference=reference)
        except DomainError as refusal:
            raise CommandError(f"{book}: {refusal.detail}") from refusal
        (stock,) = lines_of([book])
        text = f"{book}: {stock['total_quantity']} on hand, {stock['available_quantity']} available"
        self.stdout.write(json.dumps(stock, ensure_ascii=False) if options["json"] else text)
