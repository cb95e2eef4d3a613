"""Two timelines side by side: the same story in both styles."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from orders.models import SagaStyle
from sagas.models import FINISHED, Direction, SagaInstance
from sagas.operations.timeline.axis import Axis, axis_for
from sagas.operations.timeline.bars import Bar, Timeline
from sagas.operations.timeline.names import STEPS, name_of
from sagas.operations.timeline.svg import LEFT, RIGHT

MOST_READ = 500
"""Sagas among which stories are looked for, the newest first."""


@dataclass(frozen=True, slots=True)
class Story:
    """The newest order of each style that ended like this."""

    code: str
    """The code of the failure; "" if the orders were completed."""
    left: UUID
    right: UUID


@dataclass(frozen=True, slots=True)
class ComparedStep:
    """A step of either timeline; None where it has not happened."""

    name: str
    is_undo: bool
    left: Bar | None
    right: Bar | None


def recent_stories() -> list[Story]:
    """Returns the stories that both styles have lately ended with, the newest first."""
    newest: dict[str, dict[str, UUID]] = {}
    rows = SagaInstance.objects.order_by("-pk").values_list("saga_type", "order_id", "status", "failure")
    for style, order_id, status, failure in rows[:MOST_READ]:
        if status in FINISHED:
            newest.setdefault((failure or {}).get("code", ""), {}).setdefault(style, order_id)
    left, right = SagaStyle.ORCHESTRATION, SagaStyle.CHOREOGRAPHY
    return [Story(code, of[left], of[right]) for code, of in newest.items() if left in of and right in of]


def compared_steps(left: Timeline, right: Timeline) -> list[ComparedStep]:
    """Returns every step that has happened in either, in the order of the workflow, and the compensation below."""
    on_left, on_right = _by_step(left.bars), _by_step(right.bars)
    return [
        ComparedStep(
            name_of(on_left.get(step) or on_right[step]),
            step[1] == Direction.UNDO,
            on_left.get(step),
            on_right.get(step),
        )
        for step in STEPS
        if step in on_left or step in on_right
    ]


def shared_axis(left: Timeline, right: Timeline) -> Axis:
    """Returns one axis on which both timelines have the same scale."""
    return axis_for([*left.busy, *right.busy], max(left.duration, right.duration), LEFT, RIGHT)


def _by_step(bars: Iterable[Bar]) -> dict[tuple[str, str], Bar]:
    return {(bar.step, bar.direction): bar for bar in bars}
