"""An order before it is placed: a draft, whose totals follow what is put in and taken out.

Every function runs in its caller's transaction; those that change a draft take it as `lock_draft` has locked it.
"""

from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.database.states import move
from cloudmart.kernel.limits import check_size
from cloudmart.kernel.order import Address, Line, OrderSnapshot, Totals
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.errors import (
    ItemNotFound,
    NoPaymentMethod,
    NoShippingAddress,
    OrderIsEmpty,
    OrderNotDraft,
    OrderNotFound,
    TooManyDrafts,
)
from orders.locks import lock_customer, lock_order
from orders.models import Customer, Order, OrderItem, Status
from orders.pricing import discounts_for, region_of, totals_of
from orders.services import columns_of

Wishes = dict[str, Any]
"""What a client has said of an order besides its books: payment_method, address, coupon, saga_style.

And the region that it expects, which follows from the address.
"""


def open_draft(customer: Customer, wishes: Wishes) -> Order:
    """An empty draft. Raises UnknownCoupon, RegionDiffers, and TooManyDrafts whoever opens it for the customer."""
    lock_customer(customer.pk)
    if Order.objects.filter(customer=customer, status=Status.DRAFT).count() >= settings.MAX_OPEN_DRAFTS:
        raise TooManyDrafts(most_drafts=settings.MAX_OPEN_DRAFTS)
    draft = Order(
        customer=customer,
        status=Status.DRAFT,
        region=customer.country,
        saga_style=settings.SAGA_STYLE,
        postal_code=customer.postal_code,
        address=customer.address,
    )
    _set(draft, wishes)
    discounts_for(draft.coupon)
    draft.save(force_insert=True)
    draft.refresh_from_db(fields=["created_at"])
    return draft


def lock_draft(order_id: UUID) -> Order:
    """Raises OrderNotFound, and OrderNotDraft when it is one no more."""
    order = lock_order(order_id)
    if order is None:
        raise OrderNotFound(order_id=str(order_id))
    if order.status != Status.DRAFT:
        raise OrderNotDraft(order_id=str(order_id), order_status=order.status)
    return order


def copies_in(draft: Order, book_id: str) -> int:
    """How many copies of a book the draft has."""
    return sum(item.quantity for item in draft.lines if item.book_id == book_id)


def put_line(draft: Order, line: Line) -> None:
    """The book is in the draft just as `line` says. Raises OrderTooLarge."""
    others = {item.book_id: item.quantity for item in draft.lines}
    check_size({**others, line.book_id: line.quantity})
    now = {"title": line.title, "unit_price": line.unit_price, "quantity": line.quantity}
    OrderItem.objects.update_or_create(order=draft, book_id=line.book_id, defaults=now)
    _recount(draft)


def take_line(draft: Order, book_id: str) -> None:
    """The book is not in the draft any more."""
    OrderItem.objects.filter(order=draft, book_id=book_id).delete()
    _recount(draft)


def check_line(draft: Order, book_id: str) -> None:
    """Raises ItemNotFound when the book is not in the draft."""
    if not copies_in(draft, book_id):
        raise ItemNotFound(order_id=str(draft.pk), book_id=book_id)


def change_draft(draft: Order, wishes: Wishes) -> None:
    """Raises UnknownCoupon and RegionDiffers."""
    _set(draft, wishes)
    _recount(draft)


def cancel_draft(draft: Order, reason: str) -> None:
    move(draft, Status.CANCELLED, cancel_reason=storable(reason, LONGEST_REASON))


def discard_draft(draft: Order) -> None:
    """As if it had never been."""
    draft.delete()


def snapshot_of(draft: Order, wishes: Wishes, payment_token: str, placed_by: str) -> OrderSnapshot:
    """The order that the draft comes to, at the prices that it has, with these last wishes.

    Raises OrderIsEmpty, NoPaymentMethod, NoShippingAddress, RegionDiffers and UnknownCoupon.
    """
    _set(draft, wishes)
    if not draft.lines:
        raise OrderIsEmpty(order_id=str(draft.pk))
    if not draft.payment_method:
        raise NoPaymentMethod(order_id=str(draft.pk))
    if not draft.postal_code:
        raise NoShippingAddress(customer_id=draft.customer_id)
    return OrderSnapshot(
        order_id=draft.pk,
        customer_id=draft.customer_id,
        lines=_lines_of(draft),
        totals=_totals_of(draft),
        coupon=draft.coupon,
        payment_method=draft.payment_method,
        payment_token=payment_token,
        address=_address_of(draft),
        saga_style=draft.saga_style,
        placed_at=draft.created_at,
        placed_by=placed_by,
        was_draft=True,
    )


def place_draft(draft: Order, order: OrderSnapshot) -> None:
    """From now on the draft is the order that it came to, and its saga's."""
    move(draft, Status.PENDING, **columns_of(order))


def _set(draft: Order, wishes: Wishes) -> None:
    address: Address | None = wishes.get("address")
    if address:
        draft.postal_code, draft.address, draft.region = address.postal_code, address.text, address.country
    region_of(_address_of(draft), wishes.get("region"))
    for name in ("payment_method", "coupon", "saga_style"):
        if name in wishes:
            setattr(draft, name, wishes[name])


def _address_of(draft: Order) -> Address:
    return Address(draft.postal_code, draft.address, draft.region)


def _recount(draft: Order) -> None:
    """Read its lines again, and write what it costs with them."""
    vars(draft).pop("lines", None)
    totals = _totals_of(draft)
    draft.subtotal, draft.discount, draft.tax, draft.total = totals.subtotal, totals.discount, totals.tax, totals.total
    draft.save()


def _lines_of(draft: Order) -> tuple[Line, ...]:
    return tuple(Line(item.book_id, item.title, item.unit_price, item.quantity) for item in draft.lines)


def _totals_of(draft: Order) -> Totals:
    return totals_of(_lines_of(draft), discounts_for(draft.coupon), draft.region)
