"""Decides what an orchestrated saga does next. Pure: no database, no provider."""

from dataclasses import dataclass
from enum import Enum, auto

from sagas.engine.transitions import Position
from sagas.models import Direction, State
from sagas.orchestration.workflow import Local, Remote, Step, Workflow


class News(Enum):
    """What has become of a saga since its position was stored."""

    OPENED = auto()  #: It is new.
    RESUMED = auto()  #: Another driver takes over; the call in flight may have been made.
    SUCCEEDED = auto()  #: The step in flight is done, or undone.
    REFUSED = auto()  #: The step in flight is refused.
    COMPENSATE = auto()  #: A cancellation is requested, or the deadline has passed.


@dataclass(frozen=True, slots=True)
class Move:
    """One step to do or to undo."""

    step: Step
    direction: Direction


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do, and the position after the moves of the next transaction, if no step is refused.

    A transaction takes the moves up to the first that calls a provider.
    """

    moves: tuple[Move, ...]
    goal: Position
    goes_forward: bool


def plan(workflow: Workflow, position: Position, news: News) -> Plan:
    """Returns the plan of a saga at this position.

    The undo of a refused step that calls a provider is part of the compensation: its intent is stored.
    """
    if news == News.OPENED:
        return _forward(workflow, 0, State.STARTED)
    if news == News.COMPENSATE and position.state == State.COMPLETED:
        return _back(workflow, len(workflow))
    here = next(index for index, step in enumerate(workflow) if step.name == position.step)
    if news in {News.REFUSED, News.COMPENSATE}:
        return _back(workflow, here if isinstance(workflow[here], Local) else here + 1)
    if position.state == State.COMPENSATION_STARTED:
        return _back(workflow, here + 1 if news == News.RESUMED else here)
    if news == News.RESUMED:
        return _forward(workflow, here, position.state)
    return _forward(workflow, here + 1, workflow[here].reaches)


def _forward(workflow: Workflow, start: int, state: str) -> Plan:
    """Does the steps from `start` on, beginning in `state`."""
    moves = tuple(Move(step, Direction.DO) for step in workflow[start:])
    goal = Position(State.COMPLETED)
    for index, step in enumerate(workflow[start:], start):
        if isinstance(step, Remote):
            goal = Position(workflow[index - 1].reaches if index > start else state, step.name)
            break
    return Plan(moves, goal, goes_forward=True)


def _back(workflow: Workflow, end: int) -> Plan:
    """Undoes the steps before `end`, the last one first."""
    steps = workflow[:end][::-1]
    call = next((step.name for step in steps if isinstance(step, Remote)), None)
    goal = Position(State.COMPENSATION_STARTED, call) if call else Position(State.FAILED)
    return Plan(tuple(Move(step, Direction.UNDO) for step in steps), goal, goes_forward=False)
