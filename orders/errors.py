"""Why the order desk says no."""

from cloudmart.kernel.errors import DomainError


class UnknownCustomer(DomainError):
    """There is no such customer."""

    code = "customer_not_found"


class UnknownCoupon(DomainError):
    """There is no such coupon."""

    code = "unknown_coupon"


class NoShippingAddress(DomainError):
    """The order names no shipping address, and the customer has none on file."""

    code = "no_shipping_address"


class RegionDiffers(DomainError):
    """The region that was stated is not the country that the order goes to."""

    code = "region_differs"


class OrderNotFound(DomainError):
    """There is no such order."""

    code = "order_not_found"


class OrderCancelled(DomainError):
    """The order was cancelled while it was being carried out."""

    code = "order_cancelled"


class OrderIsDraft(DomainError):
    """The order is a draft still; nothing is held, paid or sent for it by hand before it is confirmed."""

    code = "order_is_draft"


class OrderNotDraft(DomainError):
    """The order has been placed or cancelled; its books are no longer to be changed."""

    code = "order_not_draft"


class OrderChanged(DomainError):
    """The draft was changed while it was being confirmed."""

    code = "order_changed"


class OrderIsEmpty(DomainError):
    """There is no book in the order."""

    code = "order_is_empty"


class TooManyDrafts(DomainError):
    """The customer has as many open drafts as they may."""

    code = "too_many_drafts"


class ItemNotFound(DomainError):
    """The book is not in the order."""

    code = "item_not_found"


class NoPaymentMethod(DomainError):
    """Neither the draft nor its confirmation says how it is paid."""

    code = "no_payment_method"
