"""`saga retry` and the other commands of operators: what they did, or why they did nothing."""

import getpass
from uuid import UUID

from django.utils.translation import gettext as _

from cloudmart.kernel.errors import DomainError
from sagas.desk.reasons import CANCELLED_BY_SHOP, STOPPED_BY_SHOP
from sagas.models import OperatorCommand, SagaInstance
from sagas.operations.commands import run_command
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.records import records_of
from sagas.operations.timeline.reading import timeline_of_order
from sagas.operations.timeline.rows import in_flight_text
from sagas.operations.why_not import sentence_of, why_not

HELP = {
    OperatorCommand.RETRY: "resume a waiting saga now",
    OperatorCommand.COMPENSATE: "undo an order now",
    OperatorCommand.ABANDON: "stop the attempts until the saga is resumed; nothing is undone",
    OperatorCommand.RESUME: "resume an abandoned saga",
    OperatorCommand.CANCEL: "undo a completed order, or request that of an unfinished one",
}
"""The commands of the terminal. Whether a parcel is back is for those who see it."""

DEFAULT_REASONS = {OperatorCommand.CANCEL: CANCELLED_BY_SHOP, OperatorCommand.COMPENSATE: STOPPED_BY_SHOP}


class Refused(Exception):
    """The command was refused, or would change nothing; says why."""


def user_of_shell() -> str:
    """Returns such as `shell:maria`: who is recorded as the actor unless --actor says otherwise."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"


def command_saga(command: OperatorCommand, order_id: UUID, actor: str, reason: str) -> str:
    """Runs the command, and returns what has become of the saga. Raises Refused."""
    if obstacle := why_not(DeskCommand(command.value), records_of(order_id)):
        raise Refused(obstacle)
    before = SagaInstance.objects.get(order_id=order_id).status
    try:
        run_command(command, order_id, actor, reason or DEFAULT_REASONS.get(command, ""))
    except DomainError as refusal:
        raise Refused(sentence_of(refusal)) from refusal
    return result_of(command, order_id, before)


def result_of(command: OperatorCommand, order_id: UUID, before: str) -> str:
    """Returns such as `STOCK_RESERVED → COMPLETED`, and what an unfinished saga waits for."""
    saga = SagaInstance.objects.get(order_id=order_id)
    parts = [f"{before} → {saga.status}" if saga.status != before else _("still %(state)s") % {"state": before}]
    if saga.is_finished:
        return parts[0]
    if command == OperatorCommand.CANCEL and not saga.is_compensating:
        parts.append(_("its cancellation is requested, and a worker undoes it"))
    parts += filter(None, [in_flight_text(timeline_of_order(order_id)), "" if saga.abandoned_at else saga.attention])
    return "; ".join(parts)
