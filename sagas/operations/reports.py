"""What a command on an order has really done, as operators read it."""

from dataclasses import dataclass
from math import ceil

from django.db.models import TextChoices
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.money import formatted
from sagas.engine.lease import is_driven
from sagas.events import EventType
from sagas.models import CANCELLED, RETURNED, Event, SagaInstance, SagaStepLog, State, StepStatus
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.records import OrderRecords


class Result(TextChoices):
    """How a command has ended."""

    DONE = "done", _("done")
    CONTINUES = "continues", _("continues")  #: A worker continues it.
    WAITS = "waits", _("waits")  #: The attempt has failed; a worker makes another one.
    UNDONE = "undone", _("undone")  #: The order was to be completed, and has failed.
    NOTHING_DONE = "nothing", _("nothing done")  #: There was nothing to do.
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed")  #: An unforeseen error.


@dataclass(frozen=True, slots=True)
class Report:
    """A sentence about a command that has run, or has not."""

    result: Result
    text: str


DONE = {
    DeskCommand.CANCEL: _("Cancelled"),
    DeskCommand.RETRY: _("Retried"),
    DeskCommand.COMPENSATE: _("Compensated"),
    DeskCommand.ABANDON: _("Abandoned"),
    DeskCommand.RESUME: _("Resumed"),
    DeskCommand.RETURN: _("Returned"),
}


def report_of(command: DeskCommand, before: OrderRecords, after: OrderRecords) -> Report:
    """Returns what a command on the order's saga has done, by the records before and after it."""
    saga = after.saga
    if saga is None:
        raise ValueError("a command on a saga leaves a saga")
    result, text = _state(command, saga, before, after)
    return Report(result, gettext("%(done)s: %(state)s") % {"done": DONE[command], "state": text})


def _state(command: DeskCommand, saga: SagaInstance, before: OrderRecords, after: OrderRecords) -> tuple[Result, str]:
    if saga.status == State.COMPLETED:
        return Result.DONE, gettext("the order is completed.")
    if saga.status == State.FAILED:
        return _undone(saga, before, after)
    if saga.abandoned_at and command == DeskCommand.ABANDON:
        return Result.DONE, gettext("no worker continues the order until it is resumed or compensated.")
    if saga.abandoned_at:
        return Result.CONTINUES, gettext("the order is abandoned, and is undone once it is resumed.")
    is_requested = command == DeskCommand.CANCEL and before.saga is not None and not before.saga.is_finished
    if saga.attempts and saga.wake_at and not is_driven(saga, after.now) and not is_requested:
        return Result.WAITS, _waits(saga, after)
    if saga.is_compensating or saga.cancel_reason is not None:
        return Result.CONTINUES, gettext("a worker goes on undoing the order.")
    return Result.CONTINUES, gettext("a worker goes on with the order.")


def _undone(saga: SagaInstance, before: OrderRecords, after: OrderRecords) -> tuple[Result, str]:
    refunded = _refunded(after) - _refunded(before)
    failure = saga.failure or {}
    if before.goes_forward and failure.get("code") not in {CANCELLED, RETURNED}:
        why = gettext(str(failure.get("detail", "")))
        return Result.UNDONE, gettext("the order has failed, and everything is undone. %(why)s") % {"why": why}
    if refunded:
        return Result.DONE, gettext("everything is undone, and %(amount)s is refunded.") % {
            "amount": formatted(refunded)
        }
    return Result.DONE, gettext("everything is undone.")


def _refunded(records: OrderRecords) -> int:
    return records.payment.refunded_amount if records.payment else 0


def _waits(saga: SagaInstance, after: OrderRecords) -> str:
    """Returns why the attempt has failed, and when the next one is."""
    why = saga.attention or last_error(saga)
    seconds = max(0, ceil((saga.wake_at - after.now).total_seconds())) if saga.wake_at else 0
    text = ngettext(
        "the attempt has failed again (%(why)s). Next try in %(seconds)s second.",
        "the attempt has failed again (%(why)s). Next try in %(seconds)s seconds.",
        seconds,
    )
    return text % {"why": why.rstrip("."), "seconds": seconds}


def last_error(saga: SagaInstance) -> str:
    """Returns the error of the attempt that has failed last, in either style; "" if none has."""
    line = SagaStepLog.objects.filter(saga=saga, status=StepStatus.FAILED).order_by("-seq").first()
    if line:
        return f"{line.detail.get('command', line.step)}: {line.error}"
    failed = Event.objects.filter(aggregate_id=saga.order_id, event_type=EventType.ATTEMPT_FAILED)
    event = failed.order_by("-seq").first()
    return f"{event.payload['command']}: {event.payload['error']}" if event else ""
