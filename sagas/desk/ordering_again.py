"""Ordering again: a new draft with the books of an earlier order, at the prices of now."""

from dataclasses import dataclass
from uuid import UUID

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import Address
from inventory.errors import BookArchived, HeldTooLong, OutOfStock, UnknownBook
from orders.drafts import DraftChanges, open_draft
from orders.errors import CouponNotValid, OrderIsDraft, OrderIsEmpty, UnknownCoupon
from orders.models import Order, Status
from sagas.desk.drafts import add_item
from sagas.desk.requests import RequestedLine

NOT_TAKEN = (UnknownBook, BookArchived, OutOfStock, HeldTooLong)
"""Why a book may be left out of the new draft."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A book, or the coupon, that the new draft does not have, and why."""

    name: str
    """The book's code, or the coupon's."""
    refusal: DomainError


@dataclass(frozen=True, slots=True)
class OrderedAgain:
    """The new draft, and what it does not have of the earlier order."""

    draft_id: UUID
    left_out: tuple[LeftOut, ...]


def check_orderable_again(order: Order) -> None:
    """Raises OrderIsDraft, and OrderIsEmpty for a draft that was cancelled without books."""
    if order.status == Status.DRAFT:
        raise OrderIsDraft("The order is a draft: confirm it instead.", order_id=str(order.pk))
    if not order.lines:
        raise OrderIsEmpty(order_id=str(order.pk))


def order_again(order: Order, actor: str) -> OrderedAgain:
    """Opens a draft like the order, in the caller's transaction, and reserves its books.

    A book that cannot be sold now is left out, and so is a coupon that is no longer valid. Raises OrderIsDraft,
    OrderIsEmpty, TooManyDrafts and NoTaxRate, and the refusal of the last book if none can be sold.
    """
    check_orderable_again(order)
    draft, left_out = _open_draft(order)
    for line in sorted(order.lines, key=lambda line: line.book_id):
        try:
            add_item(draft.pk, RequestedLine(line.book_id, line.quantity), actor)
        except NOT_TAKEN as refusal:
            left_out.append(LeftOut(line.book_id, refusal))
    refusals = [each.refusal for each in left_out if isinstance(each.refusal, NOT_TAKEN)]
    if len(refusals) == len(order.lines):
        raise refusals[-1]
    return OrderedAgain(draft.pk, tuple(left_out))


def _open_draft(order: Order) -> tuple[Order, list[LeftOut]]:
    """Returns an empty draft with the options of the order, and the coupon that it does not have."""
    changes = _options_of(order)
    if not order.coupon:
        return open_draft(order.customer, changes), []
    try:
        return open_draft(order.customer, {**changes, "coupon": order.coupon}), []
    except (UnknownCoupon, CouponNotValid) as refusal:
        return open_draft(order.customer, changes), [LeftOut(order.coupon, refusal)]


def _options_of(order: Order) -> DraftChanges:
    options: DraftChanges = {"payment_method": order.payment_method}
    if order.saga_style:
        options["saga_style"] = order.saga_style
    if order.postal_code:
        options["address"] = Address(order.postal_code, order.address, order.region)
    return options
