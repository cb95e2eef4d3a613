"""The errors of orders and drafts."""

from cloudmart.kernel.errors import DomainError


class UnknownCustomer(DomainError):
    """There is no such customer."""

    code = "customer_not_found"


class UnknownCoupon(DomainError):
    """There is no such coupon."""

    code = "unknown_coupon"


class NoShippingAddress(DomainError):
    """Neither the order nor the customer has a shipping address."""

    code = "no_shipping_address"


class RegionDiffers(DomainError):
    """The region is not the country of the shipping address."""

    code = "region_differs"


class OrderNotFound(DomainError):
    """There is no such order."""

    code = "order_not_found"


class OrderCancelled(DomainError):
    """The order was cancelled."""

    code = "order_cancelled"


class OrderIsDraft(DomainError):
    """The order is a draft; reserve, charge and ship only after it is confirmed."""

    code = "order_is_draft"


class OrderNotDraft(DomainError):
    """The order is no draft: it was placed or cancelled."""

    code = "order_not_draft"


class OrderChanged(DomainError):
    """The draft was changed while it was being confirmed."""

    code = "order_changed"


class OrderIsEmpty(DomainError):
    """The order has no books."""

    code = "order_is_empty"


class TooManyDrafts(DomainError):
    """The customer has the most open drafts allowed."""

    code = "too_many_drafts"


class ItemNotFound(DomainError):
    """The book is not in the order."""

    code = "item_not_found"


class NoPaymentMethod(DomainError):
    """Neither the draft nor its confirmation has a payment method."""

    code = "no_payment_method"
