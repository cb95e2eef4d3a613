"""Why a payment command fails."""

from cloudmart.kernel.errors import DomainError


class PaymentDeclined(DomainError, code="payment_declined"):
    """The payment was declined."""


class PaymentUnavailable(DomainError, code="payment_unavailable"):
    """The payment provider could not be reached; nothing was charged."""


class PaymentDiffers(DomainError, code="payment_differs"):
    """The order has a payment of another amount or by another method."""


class RefundExceedsPayment(DomainError, code="refund_exceeds_payment"):
    """The amount exceeds what is left to refund."""


class RefundDiffers(DomainError, code="reference_reused"):
    """The reference belongs to a refund of another amount."""


class PaymentNotFound(DomainError, code="payment_not_found"):
    """The order has no payment."""
