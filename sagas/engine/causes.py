"""Why a saga waits for an operator: a code that groups the sagas, and what operators and customers read of it."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Refused
from sagas.engine.style import Call


class Cause(TextChoices):
    """The causes with a sentence of their own. The others are the codes of a DomainError."""

    CHARGE_UNKNOWN = "charge_unknown", _("Payment gateway: it is not known whether the charge was made")
    CHARGE_UNREACHABLE = "charge_unreachable", _("Payment gateway: it does not take the charge")
    REFUND_UNKNOWN = "refund_unknown", _("Payment gateway: it is not known whether the refund was made")
    REFUND_UNREACHABLE = "refund_unreachable", _("Payment gateway: it does not take the refund")
    REFUND_REFUSED = "refund_refused", _("Payment gateway: it refuses the refund")
    PARCEL_UNKNOWN = "parcel_unknown", _("Carrier: it is not known whether it has accepted the parcel")
    PARCEL_UNREACHABLE = "parcel_unreachable", _("Carrier: it does not take the parcel")
    CANCELLATION_UNKNOWN = "cancellation_unknown", _("Carrier: it is not known whether the parcel is cancelled")
    CANCELLATION_UNREACHABLE = "cancellation_unreachable", _("Carrier: it does not take the parcel's cancellation")
    CANCELLATION_REFUSED = "cancellation_refused", _("Carrier: it refuses the parcel's cancellation")
    DRIVER_DIED = "driver_died", _("The processes that drove the order have died")
    ERROR = "error", _("An unforeseen error: see the log")


SUBJECTS = {
    "ProcessPayment": "charge",
    "RefundPayment": "refund",
    "ArrangeShipping": "parcel",
    "CancelShipping": "cancellation",
}
"""What the code of a cause begins with, by the command of the provider call."""

FOR_CUSTOMERS = {
    "charge": _("The payment is not confirmed yet."),
    "refund": _("The refund is not confirmed yet."),
    "parcel": _("The delivery is not confirmed yet."),
    "cancellation": _("The cancellation of the delivery is not confirmed yet."),
}
"""What customers read, by what the code begins with."""
DELAYED = _("The order is delayed. The shop is looking into it.")
"""What customers read of every other cause."""


def cause_of_response(call: Call, response: ProviderResponse) -> str:
    """Returns the code of a provider's response that does not settle the call."""
    outcome, command = response.outcome, call.operation.command
    subject = SUBJECTS.get(command, command.lower())
    if not isinstance(outcome, Refused):
        return f"{subject}_unknown"
    return f"{subject}_{'unreachable' if isinstance(outcome.error, call.operation.unavailable) else 'refused'}"


def cause_of_error(error: Exception) -> str:
    """Returns the code of an error that has interrupted a saga."""
    return error.code if isinstance(error, DomainError) else Cause.ERROR


def label_of(code: str) -> str:
    """Returns what operators read of a cause."""
    return str(Cause(code).label) if code in Cause else code.replace("_", " ").capitalize() or str(_("Other causes"))


def for_operators(code: str, attention: str) -> str:
    """Returns why an operator must look, in the reader's language; of an error, what is stored."""
    return label_of(code) if code in Cause and code != Cause.ERROR else attention


def in_english(code: str) -> str:
    """Returns the same in the language of what is stored."""
    with override("en"):
        return label_of(code)


def for_customers(code: str) -> str:
    """Returns what customers read of a cause: nothing of what happens inside the shop."""
    return str(FOR_CUSTOMERS.get(code.split("_")[0], DELAYED))
