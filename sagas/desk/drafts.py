"""Commands on drafts: each book is reserved when it is added, until the draft is confirmed, cancelled or deleted.

This is the process manager of a draft: orders has the draft, inventory the reservations, and neither knows the other.
Every command is one transaction, which locks the draft first and the stock last. It reserves the books, then adds the
line; if that fails, the reservation is rolled back with it. A confirmed draft becomes an order in the first
transaction of its saga and keeps its reservations.
"""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.api.claims import Claim, for_order
from cloudmart.database.transactions import durable
from cloudmart.kernel.order import Line, OrderSnapshot, StockRequest, Totals
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.providers.calling import nothing
from inventory import selectors as inventory
from inventory.services import extend_reservations, release_reservations, set_reserved_quantities
from orders import drafts
from orders.drafts import DraftChanges, lock_draft
from orders.errors import OrderChanged, OrderNotDraft
from orders.models import Order, Status
from sagas.desk.doubt import naming_order
from sagas.desk.engine import engine
from sagas.desk.placing import check_prices
from sagas.desk.requests import RequestedLine
from sagas.engine.metrics import counting_refusals
from sagas.engine.style import First
from sagas.events import EventType, forget, order_data, record
from sagas.models import CANCELLED, SagaInstance


def add_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Reserves more copies of a book and adds them to the draft. The whole line gets the current price.

    Raises OrderNotDraft, UnknownBook, BookArchived, PriceChanged, OutOfStock, HeldTooLong and OrderTooLarge.
    """
    draft = lock_draft(order_id)
    copies = drafts.copies_in(draft, item.book_id)
    _set_line(draft, item, copies, copies + item.quantity, actor)


def change_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Sets the number of copies of a book in the draft. Raises ItemNotFound, and what `add_item` raises."""
    draft = lock_draft(order_id)
    _set_line(draft, item, drafts.copies_in_line(draft, item.book_id), item.quantity, actor)


def remove_item(order_id: UUID, book_id: str, actor: str) -> None:
    """Releases a book and removes it from the draft. A second call changes nothing. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    if copies := drafts.copies_in(draft, book_id):
        release_reservations(StockRequest(order_id, {book_id: copies}, actor), "taken out of the order")
        drafts.remove_line(draft, book_id)
        record(order_id, EventType.ITEM_REMOVED, _item_data(draft, book_id, copies, actor))


def extend_draft(order_id: UUID) -> None:
    """Extends the draft's reservations. Raises OrderNotDraft, and ReservationExpired with the expired books."""
    lock_draft(order_id)
    extend_reservations(order_id)


def discard_draft(order_id: UUID, actor: str) -> None:
    """Releases all books, and deletes the draft with its events. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    release_reservations(StockRequest(order_id, {}, actor), "the draft was deleted")
    forget(order_id)
    drafts.discard_draft(draft)


@durable
def cancel_draft(order_id: UUID, reason: str, actor: str, first: First = nothing) -> bool:
    """Releases the draft's books, and keeps it as a cancelled order. Returns False if the order is no draft.

    A second call returns True too. `first` runs at the beginning of the transaction.
    """
    first()
    try:
        draft = lock_draft(order_id)
    except OrderNotDraft as refusal:
        is_cancelled = refusal.details["order_status"] == Status.CANCELLED
        return is_cancelled and not SagaInstance.objects.filter(order_id=order_id).exists()
    release_reservations(StockRequest(order_id, {}, actor), reason)
    drafts.cancel_draft(draft, reason)
    why = {"code": CANCELLED, "reason": draft.cancel_reason}
    record(order_id, EventType.ORDER_CANCELLED, {**_draft_data(draft), **why, "actor": actor})
    return True


def confirm_draft(
    draft: Order,
    changes: DraftChanges,
    payment_token: str,
    actor: str,
    claim: Claim | None = None,
    should_stop: ShouldStop = never,
) -> SagaInstance:
    """Places the draft as an order, and runs its saga. Confirmed twice, it is placed once.

    Raises OrderIsEmpty, NoShippingAddress, RegionDiffers, NoTaxRate, UnknownCoupon, CouponNotValid, BookArchived,
    PriceChanged, and OutOfStock if a reservation has expired and the copies are gone: the draft is unchanged then.
    Raises OrderChanged if discounts or tax have changed since the draft's last change: it has the new totals then. A
    later failure is in the saga. Raises OrderInDoubt for an unforeseen error after which the order is, or may be,
    stored.
    """
    if draft.status == Status.DRAFT:
        is_outdated = drafts.is_outdated(draft)
        order = drafts.snapshot_of(draft, changes, payment_token, actor)
        with suppress(OrderNotDraft):  # it was confirmed or cancelled meanwhile
            if is_outdated:
                _update_totals(draft.pk)
                raise OrderChanged(order_id=str(draft.pk))
            return _place(order, changes, claim, should_stop)
    saga = SagaInstance.objects.filter(order_id=draft.pk).first()
    if saga is None or not saga.order.was_draft:
        raise OrderNotDraft(order_id=str(draft.pk), order_status=Order.objects.get(pk=draft.pk).status)
    return saga


def _place(order: OrderSnapshot, changes: DraftChanges, claim: Claim | None, should_stop: ShouldStop) -> SagaInstance:
    with counting_refusals(order.saga_style):
        lines = [RequestedLine(line.book_id, line.quantity, line.unit_price) for line in order.lines]
        check_prices(lines, inventory.find_for_sale(order.quantities))
        claim_key, scope = for_order(claim, order.order_id)

        def first() -> None:
            claim_key()
            _take_over(order, changes)

        with naming_order(order.order_id, is_new=True):
            return engine.start(order, first, scope, should_stop)


def _take_over(order: OrderSnapshot, changes: DraftChanges) -> None:
    """Turns the draft into the order, and renews all its reservations for the time that a saga may take."""
    drafts.place_draft(lock_draft(order.order_id), changes, order)
    set_reserved_quantities(order)


@durable
def _update_totals(order_id: UUID) -> None:
    drafts.update_totals(lock_draft(order_id))


def _set_line(draft: Order, item: RequestedLine, before: int, copies: int, actor: str) -> None:
    """Reserves so many copies instead of those before, and stores and records the line."""
    books = inventory.find_for_sale([item.book_id])
    check_prices([item], books)
    book = books[item.book_id].book
    set_reserved_quantities(StockRequest(draft.pk, {book.pk: copies}, actor), draft_of=draft.customer_id)
    drafts.set_line(draft, Line(book.pk, book.title, book.price, copies))
    if copies > before:
        added = _item_data(draft, book.pk, copies - before, actor)
        record(draft.pk, EventType.ITEM_ADDED, {**added, "title": book.title, "unit_price": book.price})
    if copies < before:
        record(draft.pk, EventType.ITEM_REMOVED, _item_data(draft, book.pk, before - copies, actor))


def _item_data(draft: Order, book_id: str, copies: int, actor: str) -> dict[str, Any]:
    """Returns what an event says of copies that were added or removed, and what the draft amounts to now."""
    amounts = {"total_amount": draft.total, "currency": settings.CURRENCY}
    return {"customer_id": draft.customer_id, "book_id": book_id, "quantity": copies, **amounts, "actor": actor}


def _draft_data(draft: Order) -> dict[str, Any]:
    """Returns what an event says of the whole draft."""
    return order_data(
        {
            "order_id": str(draft.pk),
            "customer_id": draft.customer_id,
            "lines": [{name: getattr(item, name) for name in Line.__slots__} for item in draft.lines],
            "totals": {name: getattr(draft, name) for name in Totals.__slots__},
        }
    )
