"""The errors of orders and drafts."""

from typing import Any

from cloudmart.kernel.errors import DomainError


class UnknownCustomer(DomainError, code="customer_not_found"):
    """There is no such customer."""


class UnknownCoupon(DomainError, code="unknown_coupon"):
    """There is no such coupon."""


WHY_NOT_VALID = {
    "not_yet_valid": "The coupon is not valid yet.",
    "expired": "The coupon has expired.",
    "used_up": "The coupon has been used as often as it may be.",
    "quantity_too_low": "The coupon needs more copies of a book.",
}


class CouponNotValid(DomainError, code="coupon_not_valid"):
    """The coupon cannot be used for this order."""

    def __init__(self, *, reason: str, coupon: str | None, **details: Any) -> None:
        super().__init__(WHY_NOT_VALID[reason], reason=reason, coupon=coupon, **details)


class NoTaxRate(DomainError, code="no_tax_rate"):
    """No tax rate is in force for the region."""


class NoShippingAddress(DomainError, code="no_shipping_address"):
    """Neither the order nor the customer has a shipping address."""


class RegionDiffers(DomainError, code="region_differs"):
    """The region is not the country of the shipping address."""


class OrderNotFound(DomainError, code="order_not_found"):
    """There is no such order."""


class OrderCancelled(DomainError, code="order_cancelled"):
    """The order was cancelled."""


class OrderReturned(DomainError, code="order_returned"):
    """The order was returned."""


class OrderIsDraft(DomainError, code="order_is_draft"):
    """The order is a draft; reserve, charge and ship only after it is confirmed."""


class OrderNotDraft(DomainError, code="order_not_draft"):
    """The order is no draft: it was placed or cancelled."""


class OrderChanged(DomainError, code="order_changed"):
    """The draft, or what it costs, has changed since it was read."""


class OrderIsEmpty(DomainError, code="order_is_empty"):
    """The order has no books."""


class TooManyDrafts(DomainError, code="too_many_drafts"):
    """The customer has the most open drafts allowed."""


class ItemNotFound(DomainError, code="item_not_found"):
    """The book is not in the order."""
