"""The record of commands on sagas: who gave them, when, why, and the outcome."""

from collections.abc import Callable
from uuid import UUID

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.text import LONGEST_REASON, storable
from sagas.engine.style import First
from sagas.models import OperatorCommand, SagaAction, SagaInstance
from sagas.selectors import find_saga


def recorded(
    command: OperatorCommand, order_id: UUID, actor: str, reason: str, first: First, act: Callable[[], SagaInstance]
) -> SagaInstance:
    """Records the command, runs it, and records its outcome. Raises SagaNotFound, and what `act` raises.

    `first` runs at the beginning of the first transaction.
    """
    action = _create(find_saga(order_id), command, actor, reason, first)
    try:
        saga = act()
    except DomainError as refusal:
        _conclude(action, refusal.code)
        raise
    _conclude(action, saga.status)
    return saga


@durable
def _create(saga: SagaInstance, command: OperatorCommand, actor: str, reason: str, first: First) -> SagaAction:
    first()
    reason = storable(reason, LONGEST_REASON)
    return SagaAction.objects.create(saga=saga, command=command, actor=actor, reason=reason)


@durable
def _conclude(action: SagaAction, outcome: str) -> None:
    SagaAction.objects.filter(pk=action.pk).update(outcome=outcome)
