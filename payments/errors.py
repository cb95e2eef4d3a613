"""Why a payment does not happen."""

from cloudmart.kernel.errors import DomainError


class PaymentDeclined(DomainError):
    """The payment was declined."""

    code = "payment_declined"


class PaymentUnavailable(DomainError):
    """The payment provider could not be reached; nothing was charged."""

    code = "payment_unavailable"


class PaymentDiffers(DomainError):
    """The order has a payment of another amount or by another method."""

    code = "payment_differs"


class RefundExceedsPayment(DomainError):
    """No more can be refunded than was captured and has not been refunded yet."""

    code = "refund_exceeds_payment"


class RefundDiffers(DomainError):
    """Under this reference another amount was refunded."""

    code = "reference_reused"


class PaymentNotFound(DomainError):
    """There is no payment for this order."""

    code = "payment_not_found"
