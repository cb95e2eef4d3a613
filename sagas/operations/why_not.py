"""Why a command on an order would be refused or change nothing: the checks of the commands, as a sentence."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.errors import DomainError
from orders.models import MailStatus
from sagas.desk.ordering_again import check_orderable_again
from sagas.engine.lease import lease_refusal
from sagas.models import State
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.parcels import check_waits
from sagas.operations.records import OrderRecords
from shipping.models import Status as ParcelStatus
from shipping.services import check_cancellable, check_returnable

REFUSED = {
    "already_shipped": _("The parcel is on its way or delivered: it can only be returned."),
    "not_delivered": _("The parcel is not delivered."),
    "order_is_draft": _("The order is a draft: confirm it instead."),
    "saga_abandoned": _("The order is abandoned: resume or compensate it."),
    "saga_running": _("The order is not finished."),
}
"""What an operator reads in place of an error, by its code."""


def why_not(command: DeskCommand, records: OrderRecords) -> str:
    """Returns why the command would be refused or change nothing; "" if it would do something."""
    return CHECKS[command](records)


def refused(check: Callable[..., None], *args: Any) -> str:
    """Returns the sentence of the DomainError that the check raises; "" if it raises none."""
    try:
        check(*args)
    except DomainError as refusal:
        return sentence_of(refusal)
    return ""


def sentence_of(refusal: DomainError) -> str:
    return str(REFUSED.get(refusal.code, refusal.detail))


def _cancel(records: OrderRecords) -> str:
    saga = records.saga
    if records.is_draft:
        return ""
    if saga is None or saga.is_compensating:
        return _finished_or_undone(records)
    if saga.status != State.COMPLETED:
        return gettext("The cancellation is already requested.") if saga.cancel_reason is not None else ""
    return refused(check_cancellable, records.parcel) if records.parcel else ""


def _retry(records: OrderRecords) -> str:
    return _finished_or_undone(records) if _is_finished(records) else _lease(records)


def _compensate(records: OrderRecords) -> str:
    if records.saga and records.saga.status == State.COMPLETED:
        return gettext("The order is completed: cancel it instead.")
    return _finished_or_undone(records) if _is_finished(records) else _lease(records, abandoned=True)


def _abandon(records: OrderRecords) -> str:
    if _is_finished(records):
        return _finished_or_undone(records)
    if records.saga and records.saga.abandoned_at:
        return gettext("The order is already abandoned.")
    return _lease(records)


def _resume(records: OrderRecords) -> str:
    if not (records.saga and records.saga.abandoned_at):
        return gettext("The order is not abandoned.")
    return _lease(records, abandoned=True)


def _return(records: OrderRecords) -> str:
    saga, parcel = records.saga, records.parcel
    if saga is None or saga.is_returned or (saga.is_finished and parcel and parcel.status == ParcelStatus.RETURNED):
        return _finished_or_undone(records)
    if not_back := refused(check_returnable, parcel, records.order.pk):
        return not_back
    if saga.is_finished:
        return ""
    return _lease(records) if saga.is_compensating else str(REFUSED["saga_running"])


def _order_again(records: OrderRecords) -> str:
    return refused(check_orderable_again, records.order)


def _ship(records: OrderRecords) -> str:
    return _mark(records, ParcelStatus.SHIPPED)


def _deliver(records: OrderRecords) -> str:
    return _mark(records, ParcelStatus.DELIVERED)


def _resend(records: OrderRecords) -> str:
    if not records.mails:
        return gettext("The customer has had no mail about this order.")
    if not any(mail.may_move(MailStatus.PENDING) for mail in records.mails):
        return gettext("The mail is waiting to be sent.")
    return ""


def _note(records: OrderRecords) -> str:
    return ""


CHECKS: dict[DeskCommand, Callable[[OrderRecords], str]] = {
    DeskCommand.CANCEL: _cancel,
    DeskCommand.RETRY: _retry,
    DeskCommand.COMPENSATE: _compensate,
    DeskCommand.ABANDON: _abandon,
    DeskCommand.RESUME: _resume,
    DeskCommand.RETURN: _return,
    DeskCommand.ORDER_AGAIN: _order_again,
    DeskCommand.SHIP: _ship,
    DeskCommand.DELIVER: _deliver,
    DeskCommand.RESEND: _resend,
    DeskCommand.NOTE: _note,
}


def _mark(records: OrderRecords, status: ParcelStatus) -> str:
    parcel = records.parcel
    if parcel is None:
        return gettext("The order has no parcel.")
    if parcel.status in {status, *parcel.after(status)}:
        return gettext("The parcel is already %(status)s.") % {"status": parcel.get_status_display().lower()}
    if not parcel.may_move(status):
        return gettext("The parcel is %(status)s.") % {"status": parcel.get_status_display().lower()}
    return refused(check_waits, records.saga, records.now) if records.saga else ""


def _lease(records: OrderRecords, *, abandoned: bool = False) -> str:
    refusal = lease_refusal(records.saga, records.now, abandoned=abandoned) if records.saga else None
    if refusal and refusal.code == "saga_running":
        return gettext("A worker is driving the order at this moment.")
    return sentence_of(refusal) if refusal else ""


def _is_finished(records: OrderRecords) -> bool:
    return records.saga is None or records.saga.is_finished


def _finished_or_undone(records: OrderRecords) -> str:
    """Returns what an order already is that a command would leave as it is."""
    saga = records.saga
    if records.is_draft:
        return gettext("The order is a draft.")
    if saga is None:
        return gettext("The order was already cancelled.")
    if saga.status == State.COMPLETED:
        return gettext("The order was already completed.")
    if saga.status == State.COMPENSATION_STARTED:
        return gettext("The order is already being undone.")
    if saga.is_returned:
        return gettext("The order was already returned.")
    return gettext("The order was already undone.")
