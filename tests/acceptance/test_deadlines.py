"""An order that still goes forward past its deadline is compensated when it is next driven."""

from datetime import timedelta

import pytest

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.choreography import inventory as reactions_of_inventory
from sagas.models import Event, SagaInstance
from tests.acceptance.conftest import end_of, events_in, money_kept
from tests.committed import mark_as_shipped, run_worker
from tests.conftest import signed_in
from tests.known_bugs import known_bug

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])


def has_unknown_outcome(self, key, **kwargs):
    raise OutcomeUnknown("no response")


@pytest.fixture
def doubtful(api, shelve, style, monkeypatch):
    """The id of an order that waits: its charge succeeded, but the response was lost. The gateway is up again."""
    shelve("book-123", 3)
    charge = MockGateway.charge

    def charge_without_response(self, key, **kwargs):
        charge(self, key, **kwargs)
        raise OutcomeUnknown("no response")

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", charge_without_response)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        response = api.post("/orders", {**ORDER, "saga": style}, headers={"Idempotency-Key": "key"})
    gateway().diary.clear()
    return response.json()["order_id"]


def set_deadline(seconds):
    """Sets the deadline of all sagas to so many seconds from now."""
    SagaInstance.objects.update(deadline_at=DatabaseNow() + timedelta(seconds=seconds))


@known_bug("skill-temporal-developer PR#43")
def test_an_order_past_its_deadline_is_compensated(api, doubtful, status_of, style):
    set_deadline(-1)
    run_worker()
    saga = status_of(doubtful)
    assert saga["status"] == "FAILED"
    assert saga["failure"] == {"code": "saga_timed_out", "detail": "The order could not be finished in time."}
    assert saga["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert "deadline" in [line["step"] for line in saga["steps"]]
    else:
        assert "OrderTimedOut" in events_in(saga)
    assert end_of(doubtful) == UNDONE
    assert [method for method, _ in gateway().diary] == ["cancel"], "the charge is voided, not repeated"
    response = api.post("/orders", {**ORDER, "saga": style}, headers={"Idempotency-Key": "key"})
    assert response.status_code == 409 and response.json()["code"] == "saga_timed_out"


def test_an_order_before_its_deadline_is_resumed(doubtful):
    set_deadline(60)
    run_worker()
    assert end_of(doubtful) == BOUGHT


def test_a_waiting_order_is_due_at_its_deadline_at_the_latest(api, shelve, style, settings, monkeypatch):
    settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(hours=1)
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
    shelve("book-123", 3)
    assert api.post("/orders", {**ORDER, "saga": style, "payment_token": "tok_timeout_9"}).status_code == 202
    saga = SagaInstance.objects.get()
    assert saga.wake_at == saga.deadline_at
    set_deadline(-1)
    monkeypatch.setattr(MockGateway, "cancel", has_unknown_outcome)
    run_worker()
    saga.refresh_from_db()
    assert saga.status == "COMPENSATION_STARTED" and saga.wake_at > saga.deadline_at + timedelta(minutes=29)


def test_a_retry_by_an_operator_past_the_deadline_compensates_the_order(doubtful, operator):
    set_deadline(-1)
    saga = signed_in(operator).post(f"/saga/{doubtful}/retry").json()
    assert saga["status"] == "FAILED" and saga["failure"]["code"] == "saga_timed_out"


def test_a_requested_cancellation_takes_precedence_over_the_deadline(api, doubtful, status_of):
    api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."})
    set_deadline(-1)
    run_worker()
    assert status_of(doubtful)["failure"]["code"] == "order_cancelled"


def test_a_compensating_order_has_no_deadline(place, shelve, status_of, monkeypatch):
    def refund(self, key, **kwargs):
        raise ProviderUnavailable("down")

    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", refund)
        order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    set_deadline(-1)
    run_worker()
    assert status_of(order_id)["failure"]["code"] == "shipping_failed"
    assert end_of(order_id) == UNDONE


@known_bug("NServiceBus#2515")
def test_a_completed_order_has_no_deadline(place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    set_deadline(-1)
    Event.objects.filter(event_type="OrderCreated").update(delivered_at=None)
    run_worker()
    assert end_of(order_id) == BOUGHT


def test_the_deadline_is_checked_only_when_an_order_is_resumed(api, shelve, style, settings):
    settings.SAGA_DEADLINE = timedelta(seconds=-1)
    shelve("book-123", 3)
    body = {**ORDER, "saga": style}
    assert api.post("/orders", body).status_code == 201
    order_id = api.post("/orders", body, headers={"Prefer": "respond-async"}).json()["order_id"]
    run_worker()
    assert end_of(order_id)[:3] == ("cancelled", 0, 0)


@pytest.fixture
def shipped_early(api, shelve, monkeypatch):
    """An order whose parcel is shipped before the order is sold, which the admin refuses. Its driver has died.

    Only in choreography can there be a commit between the parcel and the sale.
    """

    def fail(order):
        raise RuntimeError

    shelve("book-123", 3)
    with monkeypatch.context() as failing:
        failing.setattr(reactions_of_inventory.inventory, "confirm_stock", fail)
        response = api.post("/orders", {**ORDER, "saga": SagaStyle.CHOREOGRAPHY})
    assert response.status_code == 500
    saga = SagaInstance.objects.get()
    assert saga.status == "SHIPPING_ARRANGED"
    mark_as_shipped(saga.order_id)
    SagaInstance.objects.update(lease_until=DatabaseNow())
    return saga


def test_an_order_past_its_deadline_completes_if_its_parcel_is_shipped(shipped_early):
    set_deadline(-1)
    run_worker()
    shipped_early.refresh_from_db()
    assert shipped_early.status == "COMPLETED"
    assert not Event.objects.filter(event_type="OrderTimedOut").exists()


def test_the_payment_for_a_shipped_parcel_is_not_refunded(shipped_early, operator):
    order_id = str(shipped_early.order_id)
    assert signed_in(operator).post("/inventory/release", {"order_id": order_id}).status_code == 200
    for _ in range(2):
        run_worker()
    assert money_kept(order_id) == 1100
    shipped_early.refresh_from_db()
    assert (shipped_early.status, shipped_early.wake_at is None) == ("COMPENSATION_STARTED", False)
