"""What a person may have a saga do, and the book in which every time of it stands: who, when, why, and the outcome."""

from collections.abc import Callable, Mapping
from uuid import UUID

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.desk.cancelling import cancel_order
from sagas.engine.lease import give_up
from sagas.engine.recovery import drive, resume_saga, retry_saga, seize
from sagas.locks import lock_saga
from sagas.models import SagaAction, SagaInstance, Verb
from sagas.orchestration import orchestrator as orchestration
from sagas.selectors import find_saga

STOPPED = "The shop has stopped the order."
"""Why a saga turns back that an operator gives no other reason for."""

Act = Callable[[UUID, str, str, ShouldStop], SagaInstance]
"""Has the saga of an order do something: for this reason, by the hand of this actor."""

TURN_BACK: dict[str, Callable[[UUID, str, str], object]] = {
    SagaStyle.ORCHESTRATION: orchestration.turn_back,
    SagaStyle.CHOREOGRAPHY: choreography.turn_back,
}


def command(
    verb: Verb,
    order_id: UUID,
    actor: str,
    reason: str,
    should_stop: ShouldStop = never,
    acts: Mapping[str, Act] | None = None,
) -> SagaInstance:
    """Have the order's saga do it. Raises SagaNotFound, and what the verb is refused with."""
    action = _note(find_saga(order_id), verb, actor, reason)
    try:
        saga = (acts or ACTS)[verb](order_id, reason, actor, should_stop)
    except DomainError as refusal:
        _conclude(action, refusal.code)
        raise
    _conclude(action, saga.status)
    return saga


def compensate_saga(
    order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never, *, abandoned: bool = True
) -> SagaInstance:
    """Have a saga turn back, and drive it there at once; one that has turned back already is driven on.

    Raises SagaNotFound, SagaRunning while somebody else drives it, AlreadyShipped when it is too late, and
    SagaAbandoned unless `abandoned` ones are meant too.
    """
    saga = find_saga(order_id)
    if saga.is_finished:
        return cancel_order(order_id, reason, actor, should_stop)
    return drive(_seize_and_turn_back(order_id, reason, actor, abandoned), should_stop)


@durable
def give_up_saga(order_id: UUID, reason: str) -> SagaInstance:
    """Leave a saga as it is until a person has it go on; one at rest stays as it is anyway.

    Nothing is undone and nothing forgotten: what it holds it holds, and what is owed is owed. Raises SagaNotFound, and
    SagaRunning while somebody drives it.
    """
    saga = lock_saga(order_id)
    if not saga.is_finished:
        seize(saga, abandoned=True)
        give_up(saga, given_up_at=DatabaseNow(), attention=storable(reason, LONGEST_REASON))
        saga.refresh_from_db()
    return saga


ACTS: dict[str, Act] = {
    Verb.CANCEL: cancel_order,
    Verb.RETRY: lambda order_id, _, __, should_stop: retry_saga(order_id, should_stop),
    Verb.COMPENSATE: compensate_saga,
    Verb.GIVE_UP: lambda order_id, reason, _, __: give_up_saga(order_id, reason),
    Verb.RESUME: lambda order_id, _, __, should_stop: resume_saga(order_id, should_stop),
}


@durable
def _seize_and_turn_back(order_id: UUID, reason: str, actor: str, abandoned: bool) -> SagaInstance:
    saga = lock_saga(order_id)
    seize(saga, abandoned=abandoned)
    TURN_BACK[saga.saga_type](order_id, reason, actor)
    saga.refresh_from_db()
    return saga


@durable
def _note(saga: SagaInstance, verb: Verb, actor: str, reason: str) -> SagaAction:
    why = storable(reason, LONGEST_REASON)
    return SagaAction.objects.create(saga=saga, verb=verb, actor=actor, reason=why)


@durable
def _conclude(action: SagaAction, outcome: str) -> None:
    SagaAction.objects.filter(pk=action.pk).update(outcome=outcome)
