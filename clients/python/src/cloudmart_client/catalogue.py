"""The books and their stock."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from cloudmart_client.inputs import Item
from cloudmart_client.models import (
    Book,
    BookStock,
    Movement,
    ReservationReport,
    Reservations,
    Stock,
    StockEvent,
    StockEventType,
    StockOfBook,
)
from cloudmart_client.orders import Ordered, id_of
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Books(Resource):
    """`client.books`."""

    def get(self, book_id: str) -> Book:
        return self._get(Book, f"/books/{segment(book_id)}")

    def list(
        self, *, title: str | None = None, archived: bool | None = None, page_size: int | None = None
    ) -> Iterator[Book]:
        """Yields the books of the shop, and asks for further pages as they are needed."""
        return self._list(Book, "/books", given(title=title, archived=archived, page_size=page_size))

    def create(
        self,
        book_id: str,
        *,
        title: str,
        price: int,
        quantity: int | None = None,
        low_stock_threshold: int | None = None,
        idempotency_key: str | None = None,
    ) -> Book:
        """For operators: adds a book to the catalogue."""
        body = given(
            book_id=book_id, title=title, price=price, quantity=quantity, low_stock_threshold=low_stock_threshold
        )
        return self._command(Book, "POST", "/books", body, idempotency_key)

    def change(
        self,
        book_id: str,
        *,
        title: str | None = None,
        price: int | None = None,
        archived: bool | None = None,
        low_stock_threshold: int | None = None,
        remove_threshold: bool = False,
        idempotency_key: str | None = None,
    ) -> Book:
        """For operators: changes what is given, and leaves the rest as it is."""
        body = given(title=title, price=price, archived=archived, low_stock_threshold=low_stock_threshold)
        body |= {"low_stock_threshold": None} if remove_threshold else {}
        return self._command(Book, "PATCH", f"/books/{segment(book_id)}", body, idempotency_key)


class Inventory(Resource):
    """`client.inventory`."""

    def get(self, book_id: str, *, as_of: datetime | None = None) -> BookStock:
        """Returns the stock of a book, now or at a time in the past."""
        return self._get(BookStock, f"/inventory/{segment(book_id)}", given(as_of=as_of))

    def list(
        self, *, title: str | None = None, in_stock: bool | None = None, page_size: int | None = None
    ) -> Iterator[Stock]:
        """Yields the stock of every book, and asks for further pages as they are needed."""
        return self._list(Stock, "/inventory", given(title=title, in_stock=in_stock, page_size=page_size))

    def add(
        self,
        book_id: str,
        quantity: int,
        *,
        reason: str | None = None,
        reference: str | None = None,
        idempotency_key: str | None = None,
    ) -> StockOfBook:
        """For operators: books a delivery. One with the same `reference` counts once."""
        body = given(quantity=quantity, reason=reason, reference=reference)
        path = f"/inventory/{segment(book_id)}/add_stock"
        return self._command(StockOfBook, "POST", path, body, idempotency_key)

    def adjust(
        self,
        book_id: str,
        delta: int,
        *,
        reason: str,
        reference: str | None = None,
        idempotency_key: str | None = None,
    ) -> StockOfBook:
        """For operators: corrects the stock by `delta` copies after a count."""
        body = given(delta=delta, reason=reason, reference=reference)
        return self._command(StockOfBook, "POST", f"/inventory/{segment(book_id)}/adjust", body, idempotency_key)

    def events(self, book_id: str, *, type: StockEventType | None = None) -> Iterator[StockEvent]:
        """For operators: yields what has happened to the stock of a book, newest first."""
        return self._list(StockEvent, f"/inventory/{segment(book_id)}/events", given(type=type))

    def reserve(
        self,
        order: Ordered,
        items: Iterable[Item],
        *,
        expires_in: int | None = None,
        idempotency_key: str | None = None,
    ) -> Reservations:
        """For operators: reserves books under an id. Reservations expire after `expires_in` seconds."""
        body = given(order_id=id_of(order), items=list(items), expires_in=expires_in)
        return self._command(Reservations, "POST", "/inventory/reserve", body, idempotency_key)

    def release(
        self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Reservations:
        """For operators: releases all reservations of an order."""
        body = given(order_id=id_of(order), reason=reason)
        return self._command(Reservations, "POST", "/inventory/release", body, idempotency_key)

    def extend(self, order: Ordered, *, idempotency_key: str | None = None) -> Reservations:
        """For operators: has the reservations of an order last as long as new ones from now, up to a limit in all."""
        return self._command(Reservations, "POST", "/inventory/extend", {"order_id": id_of(order)}, idempotency_key)

    def movements(
        self,
        *,
        first_day: date | None = None,
        last_day: date | None = None,
        book_id: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Movement]:
        """For operators: yields the copies of each book that moved in a day of the shop, the last day first."""
        query = given(**{"from": first_day, "to": last_day}, book_id=book_id, page_size=page_size)
        return self._list(Movement, "/inventory/reports/movements", query)

    def reservation_report(self) -> ReservationReport:
        """For operators: counts the reservations by status and age, and the active ones by the time to expiry."""
        return self._get(ReservationReport, "/inventory/reports/reservations")
