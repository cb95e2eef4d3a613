"""What an orchestrated saga does next: the pure plan over made-up workflows, with no database."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagas.engine.transitions import Position
from sagas.models import FINISHED, FORWARD, Direction, SagaInstance, State
from sagas.orchestration.plan import News, plan
from sagas.orchestration.workflow import ORDER_WORKFLOW, Local, Remote

pytestmark = pytest.mark.any_database


def step(number, is_remote):
    state = FORWARD[min(1 + number, 4)]
    if is_remote:
        return Remote(name=f"step{number}", do=SimpleNamespace(), undo=SimpleNamespace(), reaches=state)
    step = {"name": f"step{number}", "commands": (f"Do{number}", f"Undo{number}"), "reaches": state}
    return Local(do=lambda order: None, undo=lambda request, reason: None, **step)


workflows = st.lists(st.booleans(), min_size=1, max_size=8).map(
    lambda kinds: tuple(step(number, is_remote) for number, is_remote in enumerate(kinds))
)


def names(moves, direction):
    assert {move.direction for move in moves} <= {direction}
    return [move.step.name for move in moves]


def execute(workflow, refused=None, cancelled_after=None):
    """Follows the plan as the orchestrator does. Returns the steps done and undone, and the last goal."""
    done, undone, position, news = [], [], Position(State.STARTED), News.OPENED
    while True:
        planned = plan(workflow, position, news)
        if news == News.SUCCEEDED and position.step == cancelled_after and planned.goes_forward:
            planned = plan(workflow, position, News.COMPENSATE)
        for move in planned.moves:
            name = move.step.name
            if name == refused and move.direction == Direction.DO:
                position, news = Position(position.state, name), News.REFUSED
                break
            (done if move.direction == Direction.DO else undone).append(name)
            if isinstance(move.step, Remote):
                assert planned.goal.step == name, "the goal is the first call"
                position, news = planned.goal, News.SUCCEEDED
                break
        else:
            assert planned.goal.state in FINISHED
            return done, undone, planned.goal


@given(workflows)
def test_an_order_that_nothing_refuses_takes_every_step_once_and_in_order(workflow):
    done, undone, goal = execute(workflow)
    assert done == [each.name for each in workflow]
    assert (undone, goal) == ([], Position(State.COMPLETED))


@given(workflows, st.data())
def test_the_undos_are_the_steps_before_the_refused_one_in_reverse(workflow, data):
    refused = data.draw(st.sampled_from(workflow))
    done, undone, goal = execute(workflow, refused=refused.name)
    if isinstance(refused, Remote):
        assert undone.pop(0) == refused.name, "its intent is stored"
    assert undone == done[::-1]
    assert goal == Position(State.FAILED)


@given(workflows, st.data())
def test_a_cancellation_after_a_call_undoes_that_call_too(workflow, data):
    remote = [each.name for each in workflow if isinstance(each, Remote)]
    cancelled_after = data.draw(st.sampled_from(remote)) if remote else None
    done, undone, goal = execute(workflow, cancelled_after=cancelled_after)
    assert undone == (done[::-1] if remote else [])
    assert goal.state == (State.FAILED if remote else State.COMPLETED)


@given(workflows, st.data())
def test_a_resumed_saga_begins_its_call_again(workflow, data):
    remote = [each for each in workflow if isinstance(each, Remote)]
    if not remote:
        return
    in_flight = data.draw(st.sampled_from(remote))
    index = workflow.index(in_flight)
    state = workflow[index - 1].reaches if index else State.STARTED
    forward = plan(workflow, Position(state, in_flight.name), News.RESUMED)
    assert names(forward.moves, Direction.DO) == [each.name for each in workflow[index:]]
    assert forward.goal == Position(state, in_flight.name)
    back = plan(workflow, Position(State.COMPENSATION_STARTED, in_flight.name), News.RESUMED)
    assert names(back.moves, Direction.UNDO) == [each.name for each in workflow[: index + 1]][::-1]
    assert back.goal == Position(State.COMPENSATION_STARTED, in_flight.name)


@given(workflows)
def test_cancelling_a_completed_order_undoes_every_step(workflow):
    planned = plan(workflow, Position(State.COMPLETED), News.COMPENSATE)
    assert names(planned.moves, Direction.UNDO) == [each.name for each in reversed(workflow)]
    assert not planned.goes_forward


def test_the_order_workflow_stops_where_a_provider_is_called():
    position, stops = Position(State.STARTED), []
    news = News.OPENED
    while position.state != State.COMPLETED:
        position, news = plan(ORDER_WORKFLOW, position, news).goal, News.SUCCEEDED
        stops.append(position)
    assert stops == [
        Position(State.STOCK_RESERVED, "process_payment"),
        Position(State.PAYMENT_COMPLETED, "arrange_shipping"),
        Position(State.COMPLETED),
    ]


@pytest.mark.parametrize("state", State)
def test_a_saga_moves_forward_or_to_compensation_and_a_failed_one_nowhere(state):
    targets = SagaInstance.MOVES.get(state, set())
    assert state not in targets
    if state == State.FAILED:
        assert targets == set()
    elif state == State.COMPENSATION_STARTED:
        assert targets == {State.FAILED}
    else:
        assert targets == {*FORWARD[FORWARD.index(state) + 1 :], State.COMPENSATION_STARTED, State.FAILED}
