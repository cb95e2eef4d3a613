"""Cancelling an order."""

from functools import partial
from uuid import UUID

from cloudmart.kernel.order import SAGA
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.providers.calling import nothing
from sagas.desk.actions import recorded
from sagas.desk.engine import engine
from sagas.models import OperatorCommand, SagaInstance


def cancel_order(order_id: UUID, reason: str, actor: str = SAGA, should_stop: ShouldStop = never) -> SagaInstance:
    """Cancels the order as `Engine.cancel` does, and records who did."""
    cancel = partial(engine.cancel, order_id, reason, actor, should_stop)
    return recorded(OperatorCommand.CANCEL, order_id, actor, reason, nothing, cancel)
