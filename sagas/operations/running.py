"""Running an operator's command on one order by the API's code, and saying what has really happened."""

from collections.abc import Mapping

from django.utils.translation import gettext

from cloudmart.api.problems import operator_message
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.stopping import ShouldStop, never
from sagas.desk.drafts import cancel_draft
from sagas.desk.reasons import CANCELLED_BY_SHOP, RETURNED_BY_CUSTOMER, STOPPED_BY_SHOP
from sagas.models import OperatorCommand
from sagas.operations.commands import HANDLERS, SPARING_ABANDONED, Handler, run_command
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.parcels import mark_as_delivered, mark_as_shipped
from sagas.operations.records import OrderRecords, records_of
from sagas.operations.reports import Report, Result, report_of
from sagas.operations.why_not import sentence_of, why_not

DEFAULT_REASONS = {
    DeskCommand.CANCEL: CANCELLED_BY_SHOP,
    DeskCommand.COMPENSATE: STOPPED_BY_SHOP,
    DeskCommand.RETURN: RETURNED_BY_CUSTOMER,
}
"""The reason of an operator who gives none. It is the shop that cancels, not the customer."""


def run(
    command: DeskCommand,
    records: OrderRecords,
    actor: str,
    reason: str = "",
    should_stop: ShouldStop = never,
    *,
    spares_abandoned: bool = False,
) -> Report:
    """Runs the command on an order that has these records, unless it would be refused or change nothing now.

    If `spares_abandoned`, it drives no saga that was abandoned since the records were read. Raises nothing: the report
    says what was refused, or has failed.
    """
    try:
        if obstacle := why_not(command, records):
            return nothing_done(obstacle)
        handlers = SPARING_ABANDONED if spares_abandoned else HANDLERS
        return _run(command, records, actor, reason or DEFAULT_REASONS.get(command, ""), should_stop, handlers)
    except DomainError as refusal:
        return refused(refusal)
    except Exception as error:
        return failed(error)


def nothing_done(why: str) -> Report:
    return Report(Result.NOTHING_DONE, gettext("Nothing to do: %(why)s") % {"why": why})


def refused(refusal: DomainError) -> Report:
    return Report(Result.REFUSED, gettext("Refused: %(why)s") % {"why": sentence_of(refusal)})


def failed(error: Exception) -> Report:
    """Logs an unforeseen error, and names the log entry."""
    return Report(Result.FAILED, operator_message(error))


def _run(
    command: DeskCommand,
    records: OrderRecords,
    actor: str,
    reason: str,
    should_stop: ShouldStop,
    handlers: Mapping[str, Handler],
) -> Report:
    order_id = records.order.pk
    if command == DeskCommand.SHIP:
        mark_as_shipped(order_id)
        return Report(Result.DONE, gettext("The parcel is marked as shipped."))
    if command == DeskCommand.DELIVER:
        mark_as_delivered(order_id)
        return Report(Result.DONE, gettext("The parcel is marked as delivered."))
    if records.is_draft:
        if cancel_draft(order_id, reason, actor):
            return Report(Result.DONE, gettext("Cancelled: the books of the draft are released."))
        return nothing_done(gettext("The draft was placed meanwhile."))
    run_command(OperatorCommand(command.value), order_id, actor, reason, should_stop, handlers=handlers)
    return report_of(command, records, records_of(order_id))
