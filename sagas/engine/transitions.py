"""The one way to change a saga's status."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest

from cloudmart.database.clock import NOW
from cloudmart.database.prepared import Update
from cloudmart.kernel.errors import IllegalMove
from sagas.engine.lease import NO_LEASE, extended_lease
from sagas.models import FINISHED, SagaInstance

PROGRESS: dict[str, Any] = {"attempts": 0, "attention": None}
"""The columns that are reset when a saga has advanced."""


@cache
def _at_position(unless: Q | None) -> Update:
    """Returns the update of the saga that is at a position, under a fence, and for which `unless` does not hold."""
    return Update(
        lambda pk, status, step, fence: SagaInstance.objects.filter(
            pk=pk, status=status, current_step=step, fence=fence
        ).exclude(unless or Q()),
        finished_at=lambda ended: Greatest(ended, NOW),
    )


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

    Extends the lease; releases it if the saga is finished, unless `keeps_lease`. A `finished_at` is stored as the
    database's time if that is later. Returns True if moved, and updates `saga`; False if the row has another position
    or fence, or `unless` holds for it. Raises IllegalMove.
    """
    at = Position.of(saga)
    if to.state not in {at.state, *SagaInstance.MOVES.get(at.state, ())}:
        raise IllegalMove(record="SagaInstance", id=str(saga.pk), to=to.state)
    columns = {
        "status": to.state,
        "current_step": to.step,
        "updated_at": NOW,
        "wake_at": None,
        **extended_lease(),
        **({} if at == to else PROGRESS),
        **saga.payload_without_token(to.state),
        **changes,
        **(NO_LEASE if to.state in FINISHED and not keeps_lease else {}),
    }
    row = _at_position(unless)(pk=saga.pk, status=at.state, step=at.step, fence=saga.fence)
    if not row.set(**columns):
        return False
    stored = {name: value for name, value in columns.items() if not isinstance(value, Combinable)}
    vars(saga).update(stored)
    return True
