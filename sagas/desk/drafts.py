"""Commands on drafts: each book is reserved when it is added, until the draft is confirmed, cancelled or deleted.

This is the process manager of a draft: orders has the draft, inventory the reservations, and neither knows the other.
Every command is one transaction, which locks the draft first and the stock last. It reserves the books, then adds the
line; if that fails, the reservation is rolled back with it. A confirmed draft becomes an order in the first
transaction of its saga and keeps its reservations.
"""

from contextlib import suppress
from functools import partial
from uuid import UUID

from cloudmart.api.idempotency import Claim
from cloudmart.database.transactions import beginning_with, durable
from cloudmart.kernel.order import Line, OrderSnapshot, StockRequest
from cloudmart.kernel.stopping import ShouldStop, never
from inventory import selectors as inventory
from inventory.errors import OutOfStock
from inventory.services import extend_reservations, release_reservations, set_reserved_quantities
from orders import drafts
from orders.drafts import DraftChanges, lock_draft
from orders.errors import OrderChanged, OrderNotDraft
from orders.models import Order, Status
from sagas.desk.placing import RequestedLine, check_prices, start_saga
from sagas.engine.metrics import counts_refusals
from sagas.models import SagaInstance


def add_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Reserves more copies of a book and adds them to the draft. The whole line gets the current price.

    Raises OrderNotDraft, UnknownBook, PriceChanged, OutOfStock, HeldTooLong and OrderTooLarge.
    """
    draft = lock_draft(order_id)
    _set_line(draft, item, drafts.copies_in(draft, item.book_id) + item.quantity, actor)


def change_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Sets the number of copies of a book in the draft. Raises ItemNotFound, and what `add_item` raises."""
    draft = lock_draft(order_id)
    drafts.check_line(draft, item.book_id)
    _set_line(draft, item, item.quantity, actor)


def remove_item(order_id: UUID, book_id: str, actor: str) -> None:
    """Releases a book and removes it from the draft. A second call changes nothing. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    if copies := drafts.copies_in(draft, book_id):
        release_reservations(StockRequest(order_id, {book_id: copies}, actor), "taken out of the order")
        drafts.remove_line(draft, book_id)


def extend_draft(order_id: UUID) -> None:
    """Extends the draft's reservations. Raises OrderNotDraft, and ReservationExpired with the expired books."""
    lock_draft(order_id)
    extend_reservations(order_id)


def discard_draft(order_id: UUID, actor: str) -> None:
    """Releases all books and deletes the draft. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    release_reservations(StockRequest(order_id, {}, actor), "the draft was deleted")
    drafts.discard_draft(draft)


@durable
def cancel_draft(order_id: UUID, reason: str, actor: str) -> bool:
    """Releases all books and marks the draft as a cancelled order. Returns False if it was placed.

    A second call changes nothing and returns True too. Raises OrderNotFound.
    """
    try:
        draft = lock_draft(order_id)
    except OrderNotDraft as refusal:
        is_cancelled = refusal.details["order_status"] == Status.CANCELLED
        return is_cancelled and not SagaInstance.objects.filter(order_id=order_id).exists()
    release_reservations(StockRequest(order_id, {}, actor), reason)
    drafts.cancel_draft(draft, reason)
    return True


def confirm_draft(
    draft: Order,
    wishes: DraftChanges,
    payment_token: str,
    actor: str,
    claim: Claim | None = None,
    should_stop: ShouldStop = never,
) -> SagaInstance:
    """Place the order that the draft comes to, and run its saga. Confirmed twice, it is placed once.

    Raises OrderIsEmpty, NoPaymentMethod, NoShippingAddress, RegionDiffers, UnknownCoupon, PriceChanged, OrderChanged,
    and OutOfStock when a hold has run out and the copies are gone: the draft stays as it was then. What fails later is
    in the saga. Raises OrderInDoubt for what breaks that off.
    """
    if draft.status == Status.DRAFT:
        order = drafts.snapshot_of(draft, wishes, payment_token, actor)
        with suppress(OrderNotDraft):  # somebody else has confirmed it, or given it up, meanwhile
            return _place(order, wishes, claim, should_stop)
    saga = SagaInstance.objects.filter(order_id=draft.pk).first()
    if saga is None or not OrderSnapshot.from_json(saga.payload).was_draft:
        raise OrderNotDraft(order_id=str(draft.pk), order_status=Order.objects.get(pk=draft.pk).status)
    return saga


@counts_refusals
def _place(order: OrderSnapshot, wishes: DraftChanges, claim: Claim | None, should_stop: ShouldStop) -> SagaInstance:
    lines = [RequestedLine(line.book_id, line.quantity, line.unit_price) for line in order.lines]
    check_prices(lines, inventory.find_books(order.quantities))
    try:
        with beginning_with(partial(_take_over, order, wishes)):
            return start_saga(order, claim, should_stop)
    except (OrderNotDraft, OrderChanged, OutOfStock):
        if claim:
            claim.untie()
        raise


def _take_over(order: OrderSnapshot, wishes: DraftChanges) -> None:
    """The draft becomes the order, all of it held for as long as a saga may take."""
    draft = lock_draft(order.order_id)
    if drafts.snapshot_of(draft, wishes, order.payment_token, order.placed_by) != order:
        raise OrderChanged(order_id=str(order.order_id))
    drafts.place_draft(draft, order)
    set_reserved_quantities(order)


def _set_line(draft: Order, item: RequestedLine, copies: int, actor: str) -> None:
    books = inventory.find_books([item.book_id])
    check_prices([item], books)
    book = books[item.book_id].book
    set_reserved_quantities(StockRequest(draft.pk, {book.pk: copies}, actor), draft_of=draft.customer_id)
    drafts.set_line(draft, Line(book.pk, book.title, book.price, copies))
