"""Drafts: orders that are not placed yet, with totals that follow their lines.

Every function runs in its caller's transaction. Those that change a draft take it locked, from `lock_draft`.
"""

from collections.abc import Collection
from dataclasses import asdict
from typing import TypedDict
from uuid import UUID

from django.conf import settings

from cloudmart.database.states import move
from cloudmart.kernel.limits import check_size
from cloudmart.kernel.order import Address, Line, OrderSnapshot, Totals
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.coupons import use_coupon
from orders.errors import (
    ItemNotFound,
    NoShippingAddress,
    OrderChanged,
    OrderIsEmpty,
    OrderNotDraft,
    OrderNotFound,
    TooManyDrafts,
)
from orders.locks import lock_customer, lock_order
from orders.models import Customer, Order, OrderItem, Status
from orders.pricing import check_region, totals_of
from orders.selectors import PriceRules, find_price_rules
from orders.services import columns_of


class DraftChanges(TypedDict, total=False):
    """The columns of a draft that a client sets, and the region that the client expects of the address."""

    payment_method: str
    address: Address
    coupon: str
    saga_style: str
    region: str


def open_draft(customer: Customer, changes: DraftChanges) -> Order:
    """Inserts an empty draft. Raises UnknownCoupon, CouponNotValid, RegionDiffers, NoTaxRate and TooManyDrafts."""
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
    _set(draft, changes)
    _check_new_coupon(changes, _rules_of(draft))
    draft.save(force_insert=True)
    draft.refresh_from_db(fields=["created_at"])
    return draft


def lock_draft(order_id: UUID) -> Order:
    """Raises OrderNotFound, and OrderNotDraft if the order was placed or cancelled."""
    order = lock_order(order_id)
    if order is None:
        raise OrderNotFound(order_id=str(order_id))
    if order.status != Status.DRAFT:
        raise OrderNotDraft(order_id=str(order_id), order_status=order.status)
    return order


def copies_in(draft: Order, book_id: str) -> int:
    """Returns the number of copies of a book in the draft."""
    item = draft.items.filter(book_id=book_id).first()
    return item.quantity if item else 0


def copies_in_line(draft: Order, book_id: str) -> int:
    """Returns the number of copies of a book that is in the draft. Raises ItemNotFound."""
    copies = copies_in(draft, book_id)
    if not copies:
        raise ItemNotFound(order_id=str(draft.pk), book_id=book_id)
    return copies


def set_line(draft: Order, line: Line) -> None:
    """Adds the line to the draft, or replaces the line of the same book. Raises OrderTooLarge."""
    lines = {**_lines_of(draft), line.book_id: line}
    check_size({book_id: each.quantity for book_id, each in lines.items()})
    OrderItem.objects.update_or_create(order=draft, book_id=line.book_id, defaults=asdict(line))
    _save_with_totals(draft, lines.values(), _rules_of(draft))


def remove_line(draft: Order, book_id: str) -> None:
    """Removes the book from the draft."""
    OrderItem.objects.filter(order=draft, book_id=book_id).delete()
    update_totals(draft)


def change_draft(draft: Order, changes: DraftChanges) -> None:
    """Raises UnknownCoupon, CouponNotValid, RegionDiffers and NoTaxRate."""
    _set(draft, changes)
    rules = _rules_of(draft)
    _check_new_coupon(changes, rules)
    _save_with_totals(draft, _lines_of(draft).values(), rules)


def cancel_draft(draft: Order, reason: str) -> None:
    move(draft, Status.CANCELLED, cancel_reason=storable(reason, LONGEST_REASON))


def discard_draft(draft: Order) -> None:
    draft.delete()


def is_outdated(draft: Order) -> bool:
    """Returns True if the draft would cost something else now: a discount or a tax rate has begun or ended."""
    return _totals_of(_lines_of(draft).values(), _rules_of(draft)) != Totals(
        draft.subtotal, draft.discount, draft.tax, draft.total
    )


def update_totals(draft: Order) -> None:
    """Stores what the draft costs now."""
    _save_with_totals(draft, _lines_of(draft).values(), _rules_of(draft))


def snapshot_of(draft: Order, changes: DraftChanges, payment_token: str, placed_by: str) -> OrderSnapshot:
    """Returns the order that the draft becomes with these last changes, at its prices, with discounts and tax of now.

    It is paid with the customer's own method if it has none. Raises OrderIsEmpty, NoShippingAddress, RegionDiffers,
    NoTaxRate, UnknownCoupon and CouponNotValid.
    """
    _set(draft, changes)
    return _snapshot_of(draft, _rules_of(draft), payment_token, placed_by)


def place_draft(draft: Order, changes: DraftChanges, order: OrderSnapshot) -> None:
    """Makes the draft the placed order of this snapshot, and counts it as a use of its coupon.

    Raises OrderChanged if the draft would be another order now, CouponNotValid, and what `snapshot_of` raises.
    """
    _set(draft, changes)
    rules = _rules_of(draft)
    if _snapshot_of(draft, rules, order.payment_token, order.placed_by) != order:
        raise OrderChanged(order_id=str(order.order_id))
    move(draft, Status.PENDING, **columns_of(order))
    use_coupon(order.order_id, rules.coupon)


def _snapshot_of(draft: Order, rules: PriceRules, payment_token: str, placed_by: str) -> OrderSnapshot:
    lines = tuple(_lines_of(draft).values())
    if not lines:
        raise OrderIsEmpty(order_id=str(draft.pk))
    if not draft.postal_code:
        raise NoShippingAddress(customer_id=draft.customer_id)
    rules.check_coupon([line.quantity for line in lines])
    return OrderSnapshot(
        order_id=draft.pk,
        customer_id=draft.customer_id,
        lines=lines,
        totals=_totals_of(lines, rules),
        coupon=draft.coupon,
        payment_method=draft.payment_method or draft.customer.payment_method,
        payment_token=payment_token,
        address=_address_of(draft),
        saga_style=draft.saga_style,
        placed_at=draft.created_at,
        placed_by=placed_by,
        was_draft=True,
    )


def _set(draft: Order, changes: DraftChanges) -> None:
    if address := changes.get("address"):
        draft.postal_code, draft.address, draft.region = address.postal_code, address.text, address.country
    check_region(_address_of(draft), changes.get("region"))
    draft.payment_method = changes.get("payment_method", draft.payment_method)
    draft.coupon = changes.get("coupon", draft.coupon)
    draft.saga_style = changes.get("saga_style", draft.saga_style)


def _address_of(draft: Order) -> Address:
    return Address(draft.postal_code, draft.address, draft.region)


def _lines_of(draft: Order) -> dict[str, Line]:
    """The draft's lines by book, as they are in the database now."""
    return {item.book_id: Line(item.book_id, item.title, item.unit_price, item.quantity) for item in draft.items.all()}


def _rules_of(draft: Order) -> PriceRules:
    return find_price_rules(draft.coupon, draft.region)


def _check_new_coupon(changes: DraftChanges, rules: PriceRules) -> None:
    """Raises CouponNotValid if the changes name a coupon that cannot be used now, for any order."""
    if changes.get("coupon") and rules.coupon and (refusal := rules.coupon.refusal):
        raise refusal


def _totals_of(lines: Collection[Line], rules: PriceRules) -> Totals:
    return totals_of(tuple(lines), rules.discounts, rules.tax)


def _save_with_totals(draft: Order, lines: Collection[Line], rules: PriceRules) -> None:
    for column, amount in asdict(_totals_of(lines, rules)).items():
        setattr(draft, column, amount)
    draft.save()
