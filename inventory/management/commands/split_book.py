"""Splits a hot book into sub-shelves."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.database.transactions import durable
from inventory.errors import UnknownBook
from inventory.services import split_book

MOST = 64


class Command(BaseCommand):
    help = (
        "Split the stock of a book into sub-shelves, so that the orders of a hot book do not all wait for one row. "
        "The server may keep running. SHELF_SHARDS must be above 1 in all its processes and workers before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("book", help="the book's code")
        parser.add_argument(
            "--shards", type=int, metavar="N", help="the number of sub-shelves (default: SHELF_SHARDS); 1: none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        book_id, shards = options["book"], options["shards"]
        shards = settings.SHELF_SHARDS if shards is None else shards
        if not 1 <= shards <= MOST:
            raise CommandError(f"A book has 1 to {MOST} sub-shelves.")
        if shards > 1 and settings.SHELF_SHARDS <= 1:
            raise CommandError(f"SHELF_SHARDS is {settings.SHELF_SHARDS}: every order would lock all sub-shelves.")
        try:
            durable(split_book)(book_id, shards)
        except UnknownBook as refusal:
            raise CommandError(f"{book_id}: {refusal.detail}") from refusal
        self.stdout.write(f"{book_id}: {shards} sub-shelves" if shards > 1 else f"{book_id}: not split")
