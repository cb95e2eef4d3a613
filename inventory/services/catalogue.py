"""The books that the shop sells. Who created or changed one is in the history of the book in the admin."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry

from cloudmart.database.prepared import Insert
from cloudmart.kernel.money import formatted
from inventory.errors import BookExists
from inventory.locks import lock_book, lock_record
from inventory.low_stock import low_among, record_low_stock
from inventory.models import Book, InventoryRecord
from inventory.pending import move_to_ledger
from inventory.projector import show_new
from inventory.services.receiving import add_stock

INSERT_BOOK, INSERT_RECORD = Insert(Book), Insert(InventoryRecord)

FIRST_STOCK = "first stock"

THRESHOLD: Literal["low_stock_threshold"] = "low_stock_threshold"


class BookChanges(TypedDict, total=False):
    """The columns of a book that can change. Orders keep the title and price that they were placed with."""

    title: str
    price: int
    archived: bool
    low_stock_threshold: int | None


def create_book(
    book: Book, copies: int = 0, *, low_stock_threshold: int | None = None, actor: str, user: Any = None
) -> None:
    """Inserts the book, its stock and its first copies. The history of the admin names `user`. Raises BookExists."""
    if not INSERT_BOOK.unless_exists(book):
        raise BookExists(book_id=book.pk)
    INSERT_RECORD(InventoryRecord(book=book))
    if copies:
        add_stock(book.pk, copies, reason=FIRST_STOCK, actor=actor)
    else:
        show_new(book.pk)
    if low_stock_threshold is not None:
        book.inventory = set_low_stock_threshold(book.pk, low_stock_threshold)
    if user:
        _log(user, book, ADDITION, "Added over the API.")


def change_book(book_id: str, changes: BookChanges, user: Any) -> Book:
    """Changes the book, and records each old and new value. A second call changes nothing. Raises UnknownBook."""
    book = lock_book(book_id)
    if message := _described(book, changes):
        columns = {column: value for column, value in changes.items() if column != THRESHOLD}
        for column, value in columns.items():
            setattr(book, column, value)
        book.save(update_fields=list(columns))
        if THRESHOLD in changes:
            book.inventory = set_low_stock_threshold(book_id, changes[THRESHOLD])
        _log(user, book, CHANGE, message)
    return book


def set_low_stock_threshold(book_id: str, threshold: int | None) -> InventoryRecord:
    """Sets the available copies at which the book's stock is low; None: it never is. Returns the row of its stock.

    Records `stock.low` if the stock becomes low by that. Raises UnknownBook.
    """
    rows = lock_record(book_id)
    move_to_ledger(rows)
    record, low = rows[book_id], low_among(rows.values())
    record.low_stock_threshold = threshold
    record.save(update_fields=[THRESHOLD])
    record_low_stock([record], low)
    return record


def _described(book: Book, changes: Any) -> str:
    """Returns what the changes do to the book, for its history: `price: ¥3,500 → ¥3,200`. Empty if nothing changes."""
    old = {column: getattr(book, column) for column in changes}
    shown: dict[str, Callable[[Any], str]] = {"price": formatted, THRESHOLD: threshold_shown}
    return "; ".join(
        f"{column.replace('_', ' ')}: {shown.get(column, str)(old[column])} → {shown.get(column, str)(new)}"
        for column, new in changes.items()
        if new != old[column]
    )


def threshold_shown(threshold: int | None) -> str:
    """Returns the threshold, as the history of a book says it."""
    return "none" if threshold is None else str(threshold)


def _log(user: Any, book: Book, flag: int, message: str) -> None:
    LogEntry.objects.log_actions(user.pk, [book], flag, message, single_object=True)
