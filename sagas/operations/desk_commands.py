"""What an operator may do with an order at the desk, and the permission that each command needs."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from sagas.desk.permissions import FOR_OTHERS


class DeskCommand(TextChoices):
    """The commands on a saga have the names of OperatorCommand."""

    CANCEL = "cancel", _("Cancel")
    RETRY = "retry", _("Retry")
    COMPENSATE = "compensate", _("Compensate")
    ABANDON = "abandon", _("Abandon")
    RESUME = "resume", _("Resume")
    RETURN = "return", _("Return")
    ORDER_AGAIN = "order_again", _("Order again")
    SHIP = "ship", _("Mark as shipped")
    DELIVER = "deliver", _("Mark as delivered")
    RESEND = "resend", _("Resend mail")
    NOTE = "note", _("Note")


PERMISSIONS = {
    DeskCommand.CANCEL: "sagas.cancel_saga",
    DeskCommand.RETRY: "sagas.retry_saga",
    DeskCommand.COMPENSATE: "sagas.compensate_saga",
    DeskCommand.ABANDON: "sagas.abandon_saga",
    DeskCommand.RESUME: "sagas.resume_saga",
    DeskCommand.RETURN: "sagas.return_order",
    DeskCommand.ORDER_AGAIN: FOR_OTHERS,
    DeskCommand.SHIP: "shipping.ship_shipment",
    DeskCommand.DELIVER: "shipping.deliver_shipment",
    DeskCommand.RESEND: "orders.resend_mail",
    DeskCommand.NOTE: "orders.note_order",
}

OF_A_DRAFT = {DeskCommand.CANCEL: FOR_OTHERS}
"""The permissions that differ for a draft."""

BEFORE_IT_IS_PLACED = (DeskCommand.CANCEL, DeskCommand.NOTE)
"""What makes sense for a draft, and for an order that was cancelled as a draft."""


def permission_for(command: DeskCommand, *, is_draft: bool) -> str:
    """Returns the permission that the command needs."""
    return OF_A_DRAFT.get(command, PERMISSIONS[command]) if is_draft else PERMISSIONS[command]
