"""The one way to change a saga's status."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.errors import IllegalMove
from sagas.engine.lease import NO_LEASE, extended_lease
from sagas.models import FINISHED, SagaInstance

PROGRESS: dict[str, Any] = {"attempts": 0, "attention": None}
"""The columns that are reset when a saga has advanced."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a saga stands: its state, and the step whose provider call is in flight ("" if none).

    In choreography the event published last stands in place of the step.
    """

    state: str
    step: str = ""

    @classmethod
    def of(cls, saga: SagaInstance) -> "Position":
        return cls(saga.status, saga.current_step)


def transition(
    saga: SagaInstance, to: Position, *, unless: Q | None = None, keeps_lease: bool = False, **changes: Any
) -> bool:
    """Moves the saga from its position to another by compare-and-set, under the fence of its lease.

    Extends the lease; releases it if the saga is finished, unless `keeps_lease`. Returns True if moved, and updates
    `saga`; False if the row has another position or fence, or `unless` holds for it. Raises IllegalMove.
    """
    at = Position.of(saga)
    if to.state not in {at.state, *SagaInstance.MOVES.get(at.state, ())}:
        raise IllegalMove(record="SagaInstance", id=str(saga.pk), to=to.state)
    rows = SagaInstance.objects.filter(pk=saga.pk, status=at.state, current_step=at.step, fence=saga.fence)
    columns = {
        "status": to.state,
        "current_step": to.step,
        "updated_at": DatabaseNow(),
        "wake_at": None,
        **extended_lease(),
        **({} if at == to else PROGRESS),
        **saga.payload_without_token(to.state),
        **changes,
        **(NO_LEASE if to.state in FINISHED and not keeps_lease else {}),
    }
    if not rows.exclude(unless or Q()).update(**columns):
        return False
    stored = {name: value for name, value in columns.items() if not hasattr(value, "resolve_expression")}
    vars(saga).update(stored)
    return True
