"""The copies of an order by book: reserved, sold, released and put back, adding up to what it holds. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.admin.utils import quote
from django.urls import reverse

from inventory.movements import MOVED_BY
from inventory.stock import EventType

Change = tuple[str, str, int, int]
"""A book, a type of stock event, and the sums of `on_hand_delta` and `reserved_delta` of the order's events of it."""


@dataclass(slots=True)
class BookOfOrder:
    """What an order has done to the stock of one book."""

    book_id: str
    title: str
    moved: Counter[str] = field(default_factory=Counter)
    reserved: int = 0
    taken: int = 0
    """Copies that left the stock for the order, and have not come back."""

    @property
    def url(self) -> str:
        return reverse("admin:inventory_book_change", args=[quote(self.book_id)])

    @property
    def held(self) -> int:
        return self.reserved + self.taken

    @property
    def given_up(self) -> int:
        """Copies that were reserved, and released without a sale."""
        return self.moved["released"] + self.moved["expired"]

    @property
    def back(self) -> int:
        """Copies that the order has held, and holds no more."""
        return self.moved["reserved"] - self.held


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of all books of an order."""

    books: tuple[BookOfOrder, ...] = ()

    @property
    def reserved(self) -> int:
        return sum(book.reserved for book in self.books)

    @property
    def sold(self) -> int:
        return sum(book.taken for book in self.books)

    @property
    def back(self) -> int:
        return sum(book.back for book in self.books)


def copies_of(changes: Iterable[Change], titles: dict[str, str]) -> Copies:
    """Returns what an order has done to the stock. Books without a title are named by their code."""
    books: dict[str, BookOfOrder] = {}
    for book_id, event_type, on_hand, reserved in changes:
        book = books.setdefault(book_id, BookOfOrder(book_id, titles.get(book_id, book_id)))
        book.moved[MOVED_BY[EventType(event_type)]] += abs(on_hand or reserved)
        book.reserved += reserved
        book.taken -= on_hand
    return Copies(tuple(books.values()))
