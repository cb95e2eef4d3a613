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


class OrderNotFound(DomainError):
    """There is no such order."""

    code = "order_not_found"


class OrderCancelled(DomainError):
    """The order was cancelled while it was being carried out."""

    code = "order_cancelled"
