"""The interactive order: put together book by book, each held as it is added, until it is confirmed or given up.

This is the process manager of a draft. The order desk keeps the draft, the stock room the holds, and neither knows the
other; what each does when is decided here. Every command is one transaction that locks the draft first and the stock
last: the books are held, then the line is added, and when that fails the hold is undone with it. A confirmed draft
becomes an order in the first transaction of its saga, over the holds that it has.
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
from inventory.services import extend_holds, hold_stock, release_holds
from orders import drafts
from orders.drafts import Wishes, lock_draft
from orders.errors import OrderChanged, OrderNotDraft
from orders.models import Order, Status
from sagas.desk.placing import RequestedLine, check_prices, start_saga
from sagas.engine.metrics import counts_refusals
from sagas.models import SagaInstance


def add_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Hold so many copies more, and put them in the draft; at the price of now, which the whole line has then.

    Raises OrderNotDraft, UnknownBook, PriceChanged, OutOfStock, HeldTooLong and OrderTooLarge.
    """
    draft = lock_draft(order_id)
    _put(draft, item, drafts.copies_in(draft, item.book_id) + item.quantity, actor)


def change_item(order_id: UUID, item: RequestedLine, actor: str) -> None:
    """Hold just so many copies of a book that is in the draft. Raises ItemNotFound, and what adding raises."""
    draft = lock_draft(order_id)
    drafts.check_line(draft, item.book_id)
    _put(draft, item, item.quantity, actor)


def remove_item(order_id: UUID, book_id: str, actor: str) -> None:
    """Give a book back, and take it out of the draft. A second call changes nothing. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    if copies := drafts.copies_in(draft, book_id):
        release_holds(StockRequest(order_id, {book_id: copies}, actor), "taken out of the order")
        drafts.take_line(draft, book_id)


def extend_draft(order_id: UUID) -> None:
    """Hold for longer what is held. Raises OrderNotDraft, and ReservationExpired with the books that are not."""
    lock_draft(order_id)
    extend_holds(order_id)


def discard_draft(order_id: UUID, actor: str) -> None:
    """Give everything back, and forget the draft. Raises OrderNotDraft."""
    draft = lock_draft(order_id)
    release_holds(StockRequest(order_id, {}, actor), "the draft was deleted")
    drafts.discard_draft(draft)


@durable
def cancel_draft(order_id: UUID, reason: str, actor: str) -> bool:
    """Give everything back, and keep the draft as a cancelled order; whether it was one. A second call says so too."""
    try:
        draft = lock_draft(order_id)
    except OrderNotDraft as refusal:
        is_cancelled = refusal.details["order_status"] == Status.CANCELLED
        return is_cancelled and not SagaInstance.objects.filter(order_id=order_id).exists()
    release_holds(StockRequest(order_id, {}, actor), reason)
    drafts.cancel_draft(draft, reason)
    return True


def confirm_draft(
    draft: Order,
    wishes: Wishes,
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
def _place(order: OrderSnapshot, wishes: Wishes, claim: Claim | None, should_stop: ShouldStop) -> SagaInstance:
    lines = [RequestedLine(line.book_id, line.quantity, line.unit_price) for line in order.lines]
    check_prices(lines, inventory.find_books(order.quantities))
    try:
        with beginning_with(partial(_take_over, order, wishes)):
            return start_saga(order, claim, should_stop)
    except (OrderNotDraft, OrderChanged, OutOfStock):
        if claim:
            claim.untie()
        raise


def _take_over(order: OrderSnapshot, wishes: Wishes) -> None:
    """The draft becomes the order, all of it held for as long as a saga may take."""
    draft = lock_draft(order.order_id)
    if drafts.snapshot_of(draft, wishes, order.payment_token, order.placed_by) != order:
        raise OrderChanged(order_id=str(order.order_id))
    drafts.place_draft(draft, order)
    hold_stock(order)


def _put(draft: Order, item: RequestedLine, copies: int, actor: str) -> None:
    books = inventory.find_books([item.book_id])
    check_prices([item], books)
    book = books[item.book_id].book
    hold_stock(StockRequest(draft.pk, {book.pk: copies}, actor), drafted_by=draft.customer_id)
    drafts.put_line(draft, Line(book.pk, book.title, book.price, copies))
