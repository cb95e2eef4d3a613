"""The orchestrator over made-up workflows: what it stores, and what it does when a step fails or a lease is lost."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.stopping import never
from cloudmart.providers.calling import nothing
from cloudmart.providers.operation import Intent, RemoteOperation
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from sagas.engine.lease import acquire, new_saga
from sagas.engine.runner import run
from sagas.errors import LeaseLost
from sagas.models import SagaInstance, State
from sagas.orchestration.orchestrator import Orchestrator
from sagas.orchestration.workflow import Local, Remote
from tests.conftest import order_snapshot
from tests.known_bugs import known_bug

STATES = [State.ORDER_CREATED, State.STOCK_RESERVED, State.PAYMENT_COMPLETED, State.SHIPPING_ARRANGED]


class Operation(RemoteOperation):
    """A provider operation that is a function, and asks for nothing unless `is_needed()`."""

    command = "Ask"
    unavailable = DomainError

    def __init__(self, call, is_needed=lambda: True, undoes=False):
        self._call, self._is_needed, self.undoes = call, is_needed, undoes

    def begin(self, order):
        return Intent(record=None, is_new=True) if self._is_needed() else None

    def call(self, intent):
        return self._call()

    def settle(self, intent, outcome):
        pass

    def lookup(self, intent):
        return Unknown("nobody knows")


class Diary(list):
    """Builds steps that write down what they do. The step of the name `refuses` is refused."""

    def __init__(self, refuses=""):
        self.refuses = refuses

    def local(self, name, reaches):
        def do(order):
            if name == self.refuses:
                raise DomainError
            self.append(("do", name))

        commands = (f"Do {name}", f"Undo {name}")
        undo = partial(self._note_undo, name)
        return Local(name=name, do=do, undo=undo, commands=commands, reaches=reaches)

    def _note_undo(self, name, order, reason):
        self.append(("undo", name))

    def remote(self, name, reaches, do=None, undo=None):
        def call():
            if name == self.refuses:
                return Refused(DomainError())
            self.append(("do", name))
            return Accepted()

        def call_back():
            self.append(("undo", name))
            return Accepted()

        back = Operation(undo or call_back, is_needed=lambda: ("do", name) in self, undoes=True)
        return Remote(name=name, do=Operation(do or call), undo=back, reaches=reaches)

    def names(self, direction):
        return [name for each, name in self if each == direction]


def start(*workflow, on_finished=lambda result: None):
    saga = new_saga(order_snapshot(("book-123", 1)), "")
    style = Orchestrator(saga, on_finished, workflow)
    run(saga, style, style.open(nothing), never)
    return saga


def resume(saga, *workflow):
    assert acquire(saga, early=True)
    style = Orchestrator(saga, lambda result: None, workflow)
    run(saga, style, style.advance(), never)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 8))
def test_the_steps_that_were_done_are_undone_in_reverse(transactional_db, kinds, refusing):
    diary = Diary(refuses=f"step{refusing}")
    workflow = tuple(
        (diary.remote if is_remote else diary.local)(f"step{n}", STATES[min(n, 3)])
        for n, is_remote in enumerate(kinds)
    )
    results = []
    saga = start(*workflow, on_finished=results.append)
    done, undone = diary.names("do"), diary.names("undo")
    stored = SagaInstance.objects.get(pk=saga.pk)
    assert (stored.status, stored.current_step, stored.failure) == (saga.status, saga.current_step, saga.failure)
    assert (stored.owner, stored.lease_until, stored.finished_at is None) == ("", None, False)
    assert [(result.state, result.failure) for result in results] == [(stored.status, stored.failure)]
    if refusing < len(kinds):
        assert saga.status == State.FAILED
        assert undone == done[::-1]
    else:
        assert saga.status == State.COMPLETED and undone == []
        assert done == [step.name for step in workflow]
    assert list(saga.log.filter(direction="undo", status="done").values_list("step", flat=True)) == undone
    assert list(saga.log.values_list("seq", flat=True)) == list(range(1, saga.log.count() + 1))


def test_a_saga_without_a_certain_outcome_waits(transactional_db):
    def call():
        raise OutcomeUnknown("no answer")

    diary = Diary()
    saga = start(diary.local("one", STATES[0]), diary.remote("two", STATES[1], do=call))
    saga.refresh_from_db()
    assert (saga.status, saga.current_step) == (STATES[0], "two")
    assert saga.wake_at and saga.attempts == 1
    assert diary.names("undo") == []
    assert saga.log.filter(step="two", status="failed").count() == 3


@known_bug("eventuate-tram-sagas#75", "customers-and-orders#46")
def test_a_failing_undo_is_retried(transactional_db):
    def unavailable():
        raise ProviderUnavailable("down")

    diary = Diary(refuses="two")
    saga = start(diary.remote("one", STATES[0], undo=unavailable), diary.local("two", STATES[1]))
    saga.refresh_from_db()
    assert (saga.status, saga.current_step) == (State.COMPENSATION_STARTED, "one")
    assert saga.wake_at


@known_bug("seata#2861", "ftgo-application#107")
def test_a_failing_undo_is_done_before_the_ones_before_it(transactional_db):
    def undo():
        if is_down:
            raise ProviderUnavailable("down")
        diary.append(("undo", "two"))
        return Accepted()

    is_down, diary = [True], Diary(refuses="three")
    workflow = (
        diary.remote("one", STATES[0]),
        diary.remote("two", STATES[1], undo=undo),
        diary.local("three", STATES[2]),
    )
    saga = start(*workflow)
    for _ in range(2):
        assert diary.names("undo") == []
        resume(saga, *workflow)
    is_down.clear()
    resume(saga, *workflow)
    assert saga.status == State.FAILED
    assert diary.names("undo") == ["two", "one"]


def test_a_driver_that_has_lost_the_lease_writes_nothing(transactional_db):
    def lose_the_lease():
        SagaInstance.objects.update(fence=7, owner="another")
        return Accepted()

    diary = Diary()
    with pytest.raises(LeaseLost):
        start(diary.remote("one", STATES[0], do=lose_the_lease), diary.local("two", STATES[1]))
    saga = SagaInstance.objects.get()
    assert (saga.fence, saga.owner, saga.status) == (7, "another", State.STARTED)
    assert diary.names("do") == []
    assert saga.log.count() == 1


def test_the_cursor_is_advanced_before_anything_else_is_written(transactional_db):
    diary = Diary()
    with CaptureQueriesContext(connection) as queries:
        start(diary.remote("one", STATES[0]))
    writes = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE"))]
    assert ["saga_instances" in sql for sql in writes] == [True, False, True, False, True]


def test_a_refused_local_step_keeps_what_the_transaction_has_settled(transactional_db):
    diary = Diary(refuses="two")
    saga = start(diary.remote("one", STATES[0]), diary.local("two", STATES[1]))
    log = list(saga.log.values_list("step", "direction", "status"))
    assert log == [
        ("one", "do", "started"),
        ("one", "do", "done"),
        ("two", "do", "failed"),
        ("one", "undo", "started"),
        ("one", "undo", "done"),
    ]
    assert saga.status == State.FAILED
