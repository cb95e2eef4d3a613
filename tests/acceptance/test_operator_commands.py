"""Operator commands on a saga: each is recorded, and refused if it is unsafe."""

from datetime import timedelta

import pytest

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.http_provider import ProviderMisused
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.desk.mails import send_mails
from sagas.engine.engine import Engine
from sagas.models import Event, SagaAction, SagaInstance
from tests.acceptance.conftest import end_of
from tests.bookkeeping import findings
from tests.committed import run_worker
from tests.conftest import signed_in
from tests.known_bugs import known_bug

UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])


def fails_with(error):
    def call(self, key, **kwargs):
        raise error

    return call


@pytest.fixture
def send(operator):
    """Sends a command of an operator for an order, with a reason, and returns the response."""
    client = signed_in(operator)

    def send(command, order_id, reason=None):
        return client.post(f"/saga/{order_id}/{command}", {"reason": reason} if reason else {})

    return send


@pytest.fixture
def doubtful(place, shelve, monkeypatch):
    """The id of an order that waits because the outcome of its charge is unknown. The gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        return place(("book-123", 1)).json()["order_id"]


@pytest.fixture
def unrefunded(place, shelve, monkeypatch):
    """The id of an order that waits because its refund failed. The gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        return place(("book-123", 1), shipping_address="999-9999").json()["order_id"]


def lease(seconds):
    """Leases all sagas to another driver until so many seconds from now."""
    SagaInstance.objects.update(owner="another", lease_until=DatabaseNow() + timedelta(seconds=seconds))


def actions():
    """Returns the recorded commands."""
    return list(SagaAction.objects.order_by("pk").values_list("command", "actor", "reason", "outcome"))


def assert_audit_holds(settings):
    settings.AUDIT_GRACE = timedelta(0)
    send_mails()
    assert findings() == {}


def test_a_command_is_recorded_with_its_actor_reason_and_outcome(api, send, doubtful, operator):
    saga = send("retry", doubtful, "The bank is up again.").json()
    (action,) = saga["actions"]
    assert action.pop("at") and action == {
        "command": "retry",
        "actor": operator.username,
        "reason": "The bank is up again.",
        "outcome": "COMPLETED",
    }
    assert api.get(f"/saga/{doubtful}/status").json()["actions"] == [], "only operators see the commands"


def test_a_command_is_recorded_before_it_runs(send, doubtful, operator, monkeypatch):
    def interrupt(engine, saga, should_stop):
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "resume", interrupt)
    with pytest.raises(KeyboardInterrupt):
        send("retry", doubtful)
    assert actions() == [("retry", operator.username, "", "")]


def test_a_cancellation_by_the_customer_is_recorded(api, doubtful):
    assert api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."}).status_code == 202
    (action,) = actions()
    assert action[:3] == ("cancel", "customer-001", "Too slow.")


@known_bug("medusa#14804")
def test_compensate_undoes_a_waiting_order_at_once(send, doubtful, operator, settings):
    response = send("compensate", doubtful, "Recalled.")
    assert response.status_code == 200 and response.json()["status"] == "FAILED"
    assert response.json()["failure"] == {"code": "order_cancelled", "detail": "Recalled.", "reason": "Recalled."}
    assert end_of(doubtful) == UNDONE
    assert actions() == [("compensate", operator.username, "Recalled.", "FAILED")]
    assert_audit_holds(settings)


def test_compensate_resumes_a_saga_that_compensates_already(send, unrefunded, status_of):
    assert end_of(unrefunded)[:2] == ("pending", 1100)
    saga = send("compensate", unrefunded, "Recalled.").json()
    assert saga["status"] == "FAILED"
    assert saga["failure"]["code"] == "shipping_failed", "the first failure stays"
    assert end_of(unrefunded) == UNDONE


def test_compensate_cancels_a_completed_order_and_leaves_a_failed_one(send, place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    first, second = (send("compensate", order_id).json() for _ in range(2))
    assert first["status"] == second["status"] == "FAILED"
    assert first["failure"] == second["failure"] and first["failure"]["reason"] == "The shop has stopped the order."
    assert end_of(order_id) == UNDONE


@pytest.mark.parametrize("command", ["retry", "compensate", "abandon"])
def test_commands_are_refused_while_another_driver_holds_the_lease(send, doubtful, operator, command):
    lease(60)
    before = SagaInstance.objects.values().get(), Event.objects.count()
    refused = send(command, doubtful, "Now!")
    assert refused.status_code == 409 and refused.json()["code"] == "saga_running"
    assert (SagaInstance.objects.values().get(), Event.objects.count()) == before
    assert actions() == [(command, operator.username, "Now!", "saga_running")]
    lease(-1)
    assert send(command, doubtful, "Now!").status_code == 200


def test_an_abandoned_saga_is_not_retried_until_it_is_resumed(send, unrefunded, settings):
    response = send("abandon", unrefunded, "The card is closed.")
    assert response.status_code == 200 and response.json()["status"] == "COMPENSATION_STARTED"
    assert response.json()["attention"] == "The card is closed." and response.json()["abandoned_at"]
    run_worker()
    assert end_of(unrefunded)[:2] == ("pending", 1100), "no worker has retried it"
    assert_audit_holds(settings)
    refused = send("retry", unrefunded)
    assert refused.status_code == 409 and refused.json()["code"] == "saga_abandoned"
    assert refused.json()["reason"] == "The card is closed." and SagaInstance.objects.get().abandoned_at
    saga = send("resume", unrefunded, "The card is open.").json()
    assert (saga["status"], saga["attention"], saga["abandoned_at"]) == ("FAILED", None, None)
    assert end_of(unrefunded) == UNDONE


def test_a_resumed_saga_waits_if_the_attempt_fails(send, doubtful, monkeypatch):
    send("abandon", doubtful, "The bank is bankrupt.")
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        response = send("resume", doubtful)
    assert response.status_code == 202
    assert response.json()["abandoned_at"] is None and response.json()["attention"] is None
    run_worker()
    assert end_of(doubtful) == BOUGHT


def test_the_cancellation_of_an_abandoned_saga_takes_effect_when_it_is_resumed(api, send, doubtful):
    send("abandon", doubtful, "The bank is bankrupt.")
    assert api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."}).status_code == 202
    run_worker()
    assert not SagaInstance.objects.get().is_finished
    saga = send("resume", doubtful).json()
    assert saga["status"] == "FAILED" and saga["failure"]["reason"] == "Too slow."


def test_a_driver_whose_lease_expired_finds_the_saga_abandoned(place, shelve, send, monkeypatch):
    shelve("book-123", 3)
    charge = MockGateway.charge

    def charge_past_the_lease(self, key, **kwargs):
        lease(-1)
        assert send("abandon", Payment.objects.get().order_id, "It hangs.").status_code == 200
        return charge(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "charge", charge_past_the_lease)
    assert place(("book-123", 1)).status_code == 202
    saga = SagaInstance.objects.get()
    assert saga.abandoned_at and saga.attention == "It hangs." and not saga.is_finished


def test_an_abandoned_saga_can_be_compensated(send, doubtful):
    send("abandon", doubtful, "The bank is bankrupt.")
    saga = send("compensate", doubtful, "Recalled.").json()
    assert (saga["status"], saga["abandoned_at"]) == ("FAILED", None)
    assert end_of(doubtful) == UNDONE


def test_resume_leaves_a_saga_that_is_not_abandoned_as_it_is(send, doubtful):
    response = send("resume", doubtful)
    assert response.status_code == 202 and response.json()["status"] != "COMPLETED", "it still waits"


@pytest.mark.parametrize("command", ["retry", "compensate", "resume"])
def test_after_an_unforeseen_error_in_a_command_the_saga_waits_and_says_why(send, doubtful, monkeypatch, command):
    if command == "resume":
        send("abandon", doubtful, "The bank is bankrupt.")
    with monkeypatch.context() as misused:
        for method in ("charge", "refund", "lookup", "cancel"):
            misused.setattr(MockGateway, method, fails_with(ProviderMisused("422 key_reused")), raising=False)
        response = send(command, doubtful)
    assert response.status_code == 202, response.json()
    failed = "1 run has failed" if command == "compensate" else "2 runs have failed"
    assert response.json()["attention"] == f"{failed}. ProviderMisused: see the log"
    saga = SagaInstance.objects.get()
    assert saga.wake_at and saga.lease_until is None and saga.abandoned_at is None
    run_worker()
    assert end_of(doubtful) == (UNDONE if command == "compensate" else BOUGHT)


@pytest.mark.parametrize("command", ["cancel", "compensate"])
def test_after_an_unforeseen_error_in_undoing_a_completed_order_the_saga_waits(
    send, place, shelve, monkeypatch, command
):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    with monkeypatch.context() as misused:
        misused.setattr(MockGateway, "refund", fails_with(ProviderMisused("422 key_reused")))
        response = send(command, order_id)
    assert (response.status_code, response.json()["status"]) == (202, "COMPENSATION_STARTED")
    assert response.json()["attention"] == "1 run has failed. ProviderMisused: see the log"
    run_worker()
    assert end_of(order_id) == UNDONE


def test_abandon_requires_a_reason(send, doubtful):
    assert send("abandon", doubtful).json()["errors"][0]["field"] == "reason"
    assert actions() == []


def test_abandon_leaves_a_finished_saga_as_it_is(send, place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    saga = send("abandon", order_id, "Whatever.").json()
    assert (saga["status"], saga["abandoned_at"], saga["attention"]) == ("COMPLETED", None, None)


@pytest.mark.parametrize("command", ["cancel", "retry", "compensate", "abandon", "resume"])
def test_a_command_with_an_idempotency_key_runs_and_is_recorded_once(operator, place, shelve, command):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    client = signed_in(operator)
    for _ in range(2):
        response = client.post(f"/saga/{order_id}/{command}", {"reason": "Once."}, headers={"Idempotency-Key": "key"})
        assert response.status_code == 200
    assert len(actions()) == 1
