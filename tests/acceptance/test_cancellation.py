"""Cancelling an order, in both styles."""

import pytest

from cloudmart.providers.outcomes import OutcomeUnknown
from inventory.models import StockEvent
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk.cancelling import cancel_order
from sagas.engine import engine
from sagas.models import SagaInstance
from tests.acceptance.conftest import end_of, events_in, holds, steps_of
from tests.committed import mark_as_shipped
from tests.known_bugs import known_bug

EVERYTHING_UNDONE = ["arrange_shipping", "process_payment", "reserve_stock", "create_order"]


@pytest.fixture
def bought(place, shelve):
    """The id of a completed order of 2 of 5 copies."""
    shelve("book-123", 5)
    return place(("book-123", 2)).json()["order_id"]


@pytest.mark.parametrize("method", ["put", "post"])
def test_cancelling_a_completed_order_undoes_everything(api, bought, style, status_of, method):
    response = getattr(api, method)(f"/orders/{bought}/cancel", {"reason": "Bought twice."})
    assert response.status_code == 200
    assert response.json()["status"] == "cancelled" and response.json()["cancel_reason"] == "Bought twice."
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])
    assert holds(bought) == {"released"}
    assert StockEvent.objects.order_by("version").last().type == "StockReturned"
    saga = status_of(bought)
    assert saga["history"][-3:] == ["COMPLETED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "undo", "done") == EVERYTHING_UNDONE
    else:
        assert events_in(saga)[6:] == [
            "OrderCancelRequested",
            "StockReleased",
            "ShippingCancelled",
            "PaymentRefunded",
            "OrderCancelled",
        ]


def test_a_second_cancellation_changes_nothing(api, bought):
    first = api.post(f"/orders/{bought}/cancel", {"reason": "First."})
    second = api.post(f"/orders/{bought}/cancel", {"reason": "Second."})
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["cancel_reason"] == "First."
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])


def test_a_shipped_order_cannot_be_cancelled(api, bought):
    mark_as_shipped(bought)
    response = api.post(f"/orders/{bought}/cancel", {})
    assert response.status_code == 409
    assert response.json()["code"] == "already_shipped"
    assert api.get(f"/orders/{bought}").json()["status"] == "completed"
    assert api.get(f"/payments/{bought}").json()["status"] == "captured"
    assert api.get(f"/saga/{bought}/status").json()["status"] == "COMPLETED"


def test_a_cancellation_requested_during_the_charge_compensates_the_order(
    place, shelve, status_of, style, monkeypatch
):
    shelve("book-123", 3)
    charge = MockGateway.charge

    def cancel_then_charge(self, *args, **kwargs):
        cancel_order(SagaInstance.objects.get().order_id, "Changed my mind.")
        return charge(self, *args, **kwargs)

    monkeypatch.setattr(MockGateway, "charge", cancel_then_charge)
    response = place(("book-123", 1))
    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "order_cancelled" and problem["reason"] == "Changed my mind."
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert status_of(problem["order_id"])["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]


def read_earlier_state_once(monkeypatch, state):
    """Has the engine find the saga in an earlier state, as if it had advanced just after it was read."""
    find_saga = engine.find_saga

    def find_earlier_state(order_id):
        monkeypatch.setattr(engine, "find_saga", find_saga)
        saga = find_saga(order_id)
        saga.status = state
        return saga

    monkeypatch.setattr(engine, "find_saga", find_earlier_state)


@known_bug("sdk-java#305")
@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize("is_down", [False, True])
def test_a_cancellation_requested_during_the_compensation_changes_nothing(
    place, shelve, status_of, monkeypatch, is_stale, is_down
):
    """`is_stale`: the request reads the saga before the failure. `is_down`: the outcome of the refund is unknown."""
    shelve("book-123", 3)
    refund = MockGateway.refund

    def cancel_then_refund(self, key, **kwargs):
        monkeypatch.setattr(MockGateway, "refund", refund)
        if is_stale:
            read_earlier_state_once(monkeypatch, "PAYMENT_COMPLETED")
        cancel_order(SagaInstance.objects.get().order_id, "Changed my mind.")
        if is_down:
            raise OutcomeUnknown("no response")
        return refund(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", cancel_then_refund)
    problem = place(("book-123", 1), shipping_address="999-9999").json()
    assert problem["code"] == "shipping_failed"
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    saga = status_of(problem["order_id"])
    assert saga["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]
    assert "OrderCancelRequested" not in events_in(saga)
    assert len({key for method, key in gateway().diary if method == "refund"}) == 1


def test_a_cancellation_of_a_saga_that_completes_meanwhile_undoes_the_order(bought, style, monkeypatch):
    read_earlier_state_once(monkeypatch, "SHIPPING_ARRANGED")
    cancel_order(bought, "Too late?")
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])


def test_the_reason_is_optional_and_has_a_maximum_length(api, bought):
    assert api.post(f"/orders/{bought}/cancel", {"reason": "x" * 201}).status_code == 400
    assert api.post(f"/orders/{bought}/cancel", {"because": "x"}).json()["errors"][0]["field"] == "because"
    assert api.post(f"/orders/{bought}/cancel").json()["cancel_reason"] == "The customer has cancelled."
