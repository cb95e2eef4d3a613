"""An order that still goes forward after its deadline turns back when it is next driven."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.remote import OutcomeUnknown, ProviderUnavailable, Unknown
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.choreography import inventory as stock_room
from sagas.models import Event, SagaInstance
from tests.acceptance.conftest import end_of, events_in, money_kept
from tests.committed import hand_over
from tests.conftest import signed_in
from tests.known_bugs import known_bug

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])


def unanswered(self, key, **kwargs):
    raise OutcomeUnknown("no answer")


@pytest.fixture
def doubtful(api, shelve, style, monkeypatch):
    """The id of an order that waits: its charge has happened, but no answer came. The gateway is up again."""
    shelve("book-123", 3)
    charge = MockGateway.charge

    def charge_and_say_nothing(self, key, **kwargs):
        charge(self, key, **kwargs)
        raise OutcomeUnknown("no answer")

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", charge_and_say_nothing)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        answer = api.post("/orders", {**ORDER, "saga": style}, headers={"Idempotency-Key": "key"})
    gateway().diary.clear()
    return answer.json()["order_id"]


def end_in(seconds):
    """The deadline of all sagas is so far away."""
    SagaInstance.objects.update(deadline_at=DatabaseNow() + timedelta(seconds=seconds))


def work():
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
    call_command("run_worker", once=True)


@known_bug("skill-temporal-developer PR#43")
def test_who_is_late_turns_back(api, doubtful, status_of, style):
    end_in(-1)
    work()
    told = status_of(doubtful)
    assert told["status"] == "FAILED"
    assert told["failure"] == {"code": "saga_timed_out", "detail": "The order could not be finished in time."}
    assert told["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert "deadline" in [line["step"] for line in told["steps"]]
    else:
        assert "OrderTimedOut" in events_in(told)
    assert end_of(doubtful) == UNDONE
    assert [verb for verb, _ in gateway().diary] == ["cancel"], "what may have happened is undone, not done again"
    answer = api.post("/orders", {**ORDER, "saga": style}, headers={"Idempotency-Key": "key"})
    assert answer.status_code == 409 and answer.json()["code"] == "saga_timed_out"


def test_who_is_in_time_goes_on(doubtful):
    end_in(60)
    work()
    assert end_of(doubtful) == BOUGHT


def test_who_waits_wakes_at_the_deadline_at_the_latest(api, shelve, style, settings, monkeypatch):
    settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(hours=1)
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
    shelve("book-123", 3)
    assert api.post("/orders", {**ORDER, "saga": style, "payment_token": "tok_timeout_9"}).status_code == 202
    saga = SagaInstance.objects.get()
    assert saga.wake_at == saga.deadline_at
    end_in(-1)
    monkeypatch.setattr(MockGateway, "cancel", unanswered)
    work()
    saga.refresh_from_db()
    assert saga.status == "COMPENSATION_STARTED" and saga.wake_at > saga.deadline_at + timedelta(minutes=29)


def test_an_operator_does_not_have_it_go_on_either(doubtful, operator):
    end_in(-1)
    told = signed_in(operator).post(f"/saga/{doubtful}/retry").json()
    assert told["status"] == "FAILED" and told["failure"]["code"] == "saga_timed_out"


def test_a_wish_comes_before_the_clock(api, doubtful, status_of):
    api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."})
    end_in(-1)
    work()
    assert status_of(doubtful)["failure"]["code"] == "order_cancelled"


def test_who_turns_back_already_has_no_deadline(place, shelve, status_of, monkeypatch):
    def refund(self, key, **kwargs):
        raise ProviderUnavailable("down")

    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", refund)
        order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    end_in(-1)
    work()
    assert status_of(order_id)["failure"]["code"] == "shipping_failed"
    assert end_of(order_id) == UNDONE


@known_bug("NServiceBus#2515")
def test_who_is_done_has_none_either(place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    end_in(-1)
    Event.objects.filter(event_type="OrderCreated").update(delivered_at=None)
    work()
    assert end_of(order_id) == BOUGHT


def test_every_order_gets_a_deadline_and_the_first_driver_does_not_look_at_it(api, shelve, style, settings):
    settings.SAGA_DEADLINE = timedelta(seconds=-1)
    shelve("book-123", 3)
    body = {**ORDER, "saga": style}
    assert api.post("/orders", body).status_code == 201
    order_id = api.post("/orders", body, headers={"Prefer": "respond-async"}).json()["order_id"]
    work()
    assert end_of(order_id)[:3] == ("cancelled", 0, 0)


@pytest.fixture
def fetched_early(api, shelve, monkeypatch):
    """An order whose parcel shipping has handed over before it is sold, which the admin would not; its driver is dead.

    Only facts leave a gap between the parcel and the sale; in a workflow they are one transaction.
    """

    def die(order):
        raise KeyboardInterrupt

    shelve("book-123", 3)
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(stock_room.inventory, "confirm_stock", die)
        api.post("/orders", {**ORDER, "saga": SagaStyle.CHOREOGRAPHY})
    saga = SagaInstance.objects.get()
    hand_over(saga.order_id)
    SagaInstance.objects.update(lease_until=DatabaseNow())
    return saga


def test_a_parcel_that_was_fetched_meanwhile_is_not_called_off(fetched_early):
    end_in(-1)
    work()
    fetched_early.refresh_from_db()
    assert fetched_early.status == "COMPLETED"
    assert not Event.objects.filter(event_type="OrderTimedOut").exists()


def test_the_money_for_a_parcel_that_was_fetched_is_not_given_back(fetched_early, operator):
    order_id = str(fetched_early.order_id)
    assert signed_in(operator).post("/inventory/release", {"order_id": order_id}).status_code == 200
    for _ in range(2):
        work()
    assert money_kept(order_id) == 1100
    fetched_early.refresh_from_db()
    assert (fetched_early.status, fetched_early.wake_at is None) == ("COMPENSATION_STARTED", False)
