"""Why a payment does not happen."""

from cloudmart.kernel.errors import DomainError


class PaymentDeclined(DomainError):
    """The payment was declined."""

    code = "payment_declined"


class PaymentUnavailable(DomainError):
    """The payment provider could not be reached; nothing was charged."""

    code = "payment_unavailable"


class PaymentNotFound(DomainError):
    """There is no payment for this order."""

    code = "payment_not_found"
