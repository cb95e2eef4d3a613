"""The books that the shop sells. Who created or changed one is in the history of the book in the admin."""

from typing import Any, TypedDict

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry

from cloudmart.database.prepared import Insert
from cloudmart.kernel.money import formatted
from inventory.errors import BookExists
from inventory.locks import lock_book
from inventory.models import Book, InventoryRecord
from inventory.projector import show_new
from inventory.services.receiving import add_stock

INSERT_BOOK, INSERT_RECORD = Insert(Book), Insert(InventoryRecord)

FIRST_STOCK = "first stock"


class BookChanges(TypedDict, total=False):
    """The columns of a book that can change. Orders keep the title and price that they were placed with."""

    title: str
    price: int
    archived: bool


def create_book(book: Book, copies: int = 0, *, actor: str, user: Any = None) -> None:
    """Inserts the book, its stock and its first copies. The history of the admin names `user`. Raises BookExists."""
    if not INSERT_BOOK.unless_exists(book):
        raise BookExists(book_id=book.pk)
    INSERT_RECORD(InventoryRecord(book=book))
    if copies:
        add_stock(book.pk, copies, reason=FIRST_STOCK, actor=actor)
    else:
        show_new(book.pk)
    if user:
        _log(user, book, ADDITION, "Added over the API.")


def change_book(book_id: str, changes: BookChanges, user: Any) -> Book:
    """Changes the book, and records each old and new value. A second call changes nothing. Raises UnknownBook."""
    book = lock_book(book_id)
    if message := _described(book, changes):
        for column, value in changes.items():
            setattr(book, column, value)
        book.save(update_fields=list(changes))
        _log(user, book, CHANGE, message)
    return book


def _described(book: Book, changes: Any) -> str:
    """Returns what the changes do to the book, for its history: `price: ¥3,500 → ¥3,200`. Empty if nothing changes."""
    old = {column: getattr(book, column) for column in changes}
    shown = {"price": formatted}
    return "; ".join(
        f"{column}: {shown.get(column, str)(old[column])} → {shown.get(column, str)(new)}"
        for column, new in changes.items()
        if new != old[column]
    )


def _log(user: Any, book: Book, flag: int, message: str) -> None:
    LogEntry.objects.log_actions(user.pk, [book], flag, message, single_object=True)
