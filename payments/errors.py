"""Why a payment command fails."""

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
    """The amount exceeds what is left to refund."""

    code = "refund_exceeds_payment"


class RefundDiffers(DomainError):
    """The reference belongs to a refund of another amount."""

    code = "reference_reused"


class PaymentNotFound(DomainError):
    """The order has no payment."""

    code = "payment_not_found"
