"""A saga's status changes only as its MOVES allow, and only under the fence of its lease."""

import pytest

from cloudmart.kernel.errors import IllegalMove
from sagas.engine.lease import new_saga
from sagas.engine.transitions import Position, transition
from sagas.models import SagaInstance, State
from tests.conftest import order_snapshot


@pytest.fixture
def saga(db):
    saga = new_saga(order_snapshot(("book-123", 1)), "")
    saga.save(force_insert=True)
    return saga


@pytest.mark.parametrize("to", State)
@pytest.mark.parametrize("state", State)
def test_a_saga_moves_only_as_its_moves_allow(saga, state, to):
    saga.status = state
    saga.save()
    if to == state or to in SagaInstance.MOVES.get(state, set()):
        assert transition(saga, Position(to))
        assert saga.status == SagaInstance.objects.get().status == to
    else:
        with pytest.raises(IllegalMove):
            transition(saga, Position(to))
        assert saga.status == SagaInstance.objects.get().status == state


def test_a_failed_saga_stays_failed():
    assert not SagaInstance.MOVES.get(State.FAILED)


def test_a_saga_whose_lease_or_position_has_changed_is_not_moved(saga):
    SagaInstance.objects.update(fence=saga.fence + 1)
    assert not transition(saga, Position(State.ORDER_CREATED))
    SagaInstance.objects.update(fence=saga.fence, current_step="process_payment")
    assert not transition(saga, Position(State.ORDER_CREATED))
    assert SagaInstance.objects.get().status == State.STARTED == saga.status
