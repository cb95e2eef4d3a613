"""The state machine over made-up workflows: for any steps and any failing one, what is undone is what was done."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.operation import Intent, RemoteOperation
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from sagas.engine.lease import claim
from sagas.models import SagaInstance, State
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.orchestration.walk import Walk
from sagas.orchestration.workflow import Local, Remote
from tests.conftest import order_snapshot
from tests.known_bugs import known_bug

STATES = [State.ORDER_CREATED, State.STOCK_RESERVED, State.PAYMENT_COMPLETED, State.SHIPPING_ARRANGED]


class Diary(list):
    """Builds steps that write down what they do; `fails` is the name of the step that says no."""

    def __init__(self, fails=""):
        self.fails = fails

    def local(self, name, reaches):
        def do(order):
            if name == self.fails:
                raise DomainError
            self.append(("do", name))

        return Local(name=name, do=do, undo=lambda order, reason: self.append(("undo", name)), reaches=reaches)

    def remote(self, name, reaches, do=None, undo=None):
        def call():
            if name == self.fails:
                return Refused(DomainError())
            self.append(("do", name))
            return Accepted()

        def call_back():
            self.append(("undo", name))
            return Accepted()

        forward = Operation(do or call, begins=lambda: True)
        back = Operation(undo or call_back, begins=lambda: ("do", name) in self, undoes=True)
        return Remote(name=name, do=forward, undo=back, reaches=reaches)


class Operation(RemoteOperation):
    """Calls `answer`, and stores nothing."""

    unavailable = DomainError

    def __init__(self, answer, begins, undoes=False):
        self.answer, self.begins, self.undoes = answer, begins, undoes

    def begin(self, order):
        return Intent(None, is_new=True) if self.begins() else None

    def call(self, intent):
        return self.answer()

    def settle(self, intent, outcome):
        pass

    def lookup(self, intent):
        return Unknown("who knows")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 8))
def test_what_was_undone_is_what_was_done_reversed(transactional_db, kinds, failing):
    diary = Diary(fails=f"step{failing}")
    workflow = tuple(
        (diary.remote if is_remote else diary.local)(f"step{n}", STATES[n % 4]) for n, is_remote in enumerate(kinds)
    )
    saga = OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=workflow)
    done = [name for direction, name in diary if direction == "do"]
    undone = [name for direction, name in diary if direction == "undo"]
    stored = SagaInstance.objects.get(pk=saga.pk)
    assert (stored.status, stored.current_step, stored.failure) == (saga.status, saga.current_step, saga.failure)
    if failing < len(kinds):
        assert saga.status == State.FAILED
        # A local step that was rolled back with its transaction may stand in the diary twice.
        assert undone == list(dict.fromkeys(reversed(done)))
    else:
        assert saga.status == State.COMPLETED and undone == []
        assert list(dict.fromkeys(done)) == [step.name for step in workflow]
    logged = list(saga.log.filter(direction="undo", status="done").values_list("step", flat=True))
    assert logged == undone
    assert list(saga.log.values_list("seq", flat=True)) == list(range(1, saga.log.count() + 1))


def test_a_saga_without_a_sure_answer_waits(transactional_db):
    def call():
        raise OutcomeUnknown("no answer")

    diary = Diary()
    workflow = (diary.local("one", STATES[0]), diary.remote("two", STATES[1], do=call))
    saga = OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=workflow)
    saga.refresh_from_db()
    assert (saga.status, saga.current_step) == (STATES[0], "two")
    assert saga.wake_at and saga.attempts == 1
    assert ("undo", "one") not in diary
    assert saga.log.filter(step="two", status="failed").count() == 3


@known_bug("eventuate-tram-sagas#75", "customers-and-orders#46")
def test_an_undo_that_fails_waits_and_is_not_given_up(transactional_db):
    def unavailable():
        raise ProviderUnavailable("down")

    diary = Diary(fails="two")
    workflow = (diary.remote("one", STATES[0], undo=unavailable), diary.local("two", STATES[1]))
    saga = OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=workflow)
    saga.refresh_from_db()
    assert (saga.status, saga.current_step) == (State.COMPENSATION_STARTED, "one")
    assert saga.wake_at


@known_bug("seata#2861", "ftgo-application#107")
def test_an_undo_that_fails_is_made_good_before_the_ones_before_it(transactional_db):
    def undo():
        if is_down:
            raise ProviderUnavailable("down")
        diary.append(("undo", "two"))
        return Accepted()

    is_down, diary = [True], Diary(fails="three")
    workflow = (
        diary.remote("one", STATES[0]),
        diary.remote("two", STATES[1], undo=undo),
        diary.local("three", STATES[2]),
    )
    saga = OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=workflow)
    for _ in range(2):
        assert [name for direction, name in diary if direction == "undo"] == []
        assert claim(saga, early=True)
        OrderSagaOrchestrator.resume(saga, workflow=workflow)
    is_down.clear()
    assert claim(saga, early=True)
    assert OrderSagaOrchestrator.resume(saga, workflow=workflow).status == State.FAILED
    assert [name for direction, name in diary if direction == "undo"] == ["two", "one"]


def test_who_is_overtaken_writes_nothing(transactional_db):
    def overtake():
        SagaInstance.objects.update(fence=7, owner="another")
        return Accepted()

    diary = Diary()
    workflow = (diary.remote("one", STATES[0], do=overtake), diary.local("two", STATES[1]))
    saga = OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=workflow)
    assert (saga.fence, saga.owner, saga.status) == (7, "another", State.STARTED), "as the other has it"
    assert ("do", "two") not in diary
    assert SagaInstance.objects.get().log.count() == 1


def test_the_cursor_is_claimed_before_anything_is_done(transactional_db, monkeypatch):
    happened = []
    claim, settle = Walk._claim, Walk.settle
    monkeypatch.setattr(Walk, "_claim", lambda self, *to, **rest: happened.append("claim") or claim(self, *to, **rest))
    monkeypatch.setattr(Walk, "settle", lambda self, *rest: happened.append("settle") or settle(self, *rest))
    diary = Diary()
    OrderSagaOrchestrator.start(order_snapshot(("book-123", 1)), workflow=(diary.remote("one", STATES[0]),))
    assert happened == ["claim", "settle"]
