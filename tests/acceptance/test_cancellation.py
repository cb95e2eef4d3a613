"""Cancelling an order, in both styles."""

import pytest

from cloudmart.providers.outcomes import OutcomeUnknown
from inventory.models import StockEvent
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk import cancelling as cancellation
from sagas.desk.cancelling import cancel_order
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


@pytest.mark.parametrize("verb", ["put", "post"])
def test_cancelling_a_completed_order_undoes_everything(api, bought, style, status_of, verb):
    answer = getattr(api, verb)(f"/orders/{bought}/cancel", {"reason": "Bought twice."})
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled" and answer.json()["cancel_reason"] == "Bought twice."
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])
    assert holds(bought) == {"released"}
    assert StockEvent.objects.order_by("version").last().type == "StockReturned"
    told = status_of(bought)
    assert told["history"][-3:] == ["COMPLETED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(told, "undo", "done") == EVERYTHING_UNDONE
    else:
        assert events_in(told)[6:] == [
            "OrderCancelRequested",
            "StockReleased",
            "ShippingCancelled",
            "PaymentRefunded",
            "OrderCancelled",
        ]


def test_cancelling_twice_is_cancelling_once(api, bought):
    first = api.post(f"/orders/{bought}/cancel", {"reason": "First."})
    second = api.post(f"/orders/{bought}/cancel", {"reason": "Second."})
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["cancel_reason"] == "First."
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])


def test_a_parcel_that_is_on_its_way_cannot_be_cancelled(api, bought):
    mark_as_shipped(bought)
    answer = api.post(f"/orders/{bought}/cancel", {})
    assert answer.status_code == 409
    assert answer.json()["code"] == "already_shipped"
    assert api.get(f"/orders/{bought}").json()["status"] == "completed"
    assert api.get(f"/payments/{bought}").json()["status"] == "captured"
    assert api.get(f"/saga/{bought}/status").json()["status"] == "COMPLETED"


def test_a_running_order_turns_back_when_its_cancellation_is_wished(place, shelve, status_of, style, monkeypatch):
    shelve("book-123", 3)
    charge = MockGateway.charge

    def charge_while_the_customer_changes_her_mind(self, *args, **kwargs):
        cancel_order(SagaInstance.objects.get().order_id, "Changed my mind.")
        return charge(self, *args, **kwargs)

    monkeypatch.setattr(MockGateway, "charge", charge_while_the_customer_changes_her_mind)
    answer = place(("book-123", 1))
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "order_cancelled" and problem["reason"] == "Changed my mind."
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert status_of(problem["order_id"])["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]


@known_bug("sdk-java#305")
@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize("is_down", [False, True])
def test_a_wish_that_comes_while_all_is_undone_changes_nothing(
    place, shelve, status_of, monkeypatch, is_stale, is_down
):
    """Whether or not who wishes it knows how far it is, and whether or not the refund can be made just then."""
    shelve("book-123", 3)
    refund, look = MockGateway.refund, cancellation.find_saga

    def look_too_early(order_id):
        saga = look(order_id)
        saga.status = "PAYMENT_COMPLETED"
        return saga

    def refund_meanwhile(self, key, **kwargs):
        monkeypatch.setattr(MockGateway, "refund", refund)
        with monkeypatch.context() as stale:
            if is_stale:
                stale.setattr(cancellation, "find_saga", look_too_early)
            cancel_order(SagaInstance.objects.get().order_id, "Changed my mind.")
        if is_down:
            raise OutcomeUnknown("no answer")
        return refund(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", refund_meanwhile)
    problem = place(("book-123", 1), shipping_address="999-9999").json()
    assert problem["code"] == "shipping_failed"
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    told = status_of(problem["order_id"])
    assert told["history"][-2:] == ["COMPENSATION_STARTED", "FAILED"]
    assert "OrderCancelRequested" not in events_in(told)
    assert len({key for verb, key in gateway().diary if verb == "refund"}) == 1


def test_a_wish_that_comes_just_too_late_cancels_the_completed_order(bought, style, monkeypatch):
    """The saga completes between the look at it and the wish."""
    look = cancellation.find_saga

    def look_too_early(order_id):
        saga = look(order_id)
        monkeypatch.setattr(cancellation, "find_saga", look)
        saga.status = "SHIPPING_ARRANGED"
        return saga

    monkeypatch.setattr(cancellation, "find_saga", look_too_early)
    cancel_order(bought, "Too late?")
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])


def test_the_reason_may_be_left_out_and_must_be_a_sentence(api, bought):
    assert api.post(f"/orders/{bought}/cancel", {"reason": "x" * 201}).status_code == 400
    assert api.post(f"/orders/{bought}/cancel", {"because": "x"}).json()["errors"][0]["field"] == "because"
    assert api.post(f"/orders/{bought}/cancel").json()["cancel_reason"] == "The customer has cancelled."
