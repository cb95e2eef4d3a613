"""Returning a delivered order, in both styles."""

import pytest
from django.core.management import call_command

from cloudmart.api.claims import REPLAYED
from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory.models import StockEvent
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Refund
from sagas.choreography import payments as reactions_of_payments
from sagas.engine.engine import Engine
from sagas.models import SagaInstance
from sagas.operations.commands import return_order
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier as carrier_port
from shipping.carriers.reports import Progress
from tests import carrier
from tests.acceptance.conftest import end_of, events_in, holds, money_kept, steps_of
from tests.committed import mark_as_shipped
from tests.integration.test_audit import failing
from tests.integration.test_races import ROUNDS, all_at_once

REASON = {"reason": "Sent back unread."}


@pytest.fixture(autouse=True)
def secret(settings):
    settings.CARRIER_WEBHOOK_SECRET = [carrier.SECRET]


@pytest.fixture
def bought(place, shelve):
    """The id of a completed order of 2 of 5 copies."""
    shelve("book-123", 5)
    return place(("book-123", 2)).json()["order_id"]


@pytest.fixture
def delivered(bought):
    for progress in Progress:
        carrier.report(bought, progress)
    return bought


def run_worker():
    SagaInstance.objects.update(lease_until=None, wake_at=DatabaseNow())
    call_command("run_worker", once=True)


def test_a_delivered_order_is_returned(api, desk, delivered, style, status_of):
    response = desk.post(f"/orders/{delivered}/return", REASON)
    assert response.status_code == 200
    order = response.json()
    assert (order["status"], order["cancel_reason"], order["saga_status"]) == ("returned", REASON["reason"], "FAILED")
    assert end_of(delivered) == ("returned", 0, 0, [("book-123", 5, 0)])
    assert holds(delivered) == {"released"}
    last = StockEvent.objects.order_by("version").last()
    assert (last.type, last.actor, last.reason) == ("StockReturned", "operator", REASON["reason"])
    assert api.get(f"/payments/{delivered}").json()["status"] == "refunded"
    assert api.get(f"/shipping/{delivered}").json()["status"] == "returned"
    assert not [call for call in carrier_port().diary if call[0] == "cancel"], "the carrier is asked nothing"
    saga = status_of(delivered)
    assert (saga["status"], saga["failure"]["code"]) == ("FAILED", "order_returned")
    assert saga["history"][-3:] == ["COMPLETED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "do", "done")[-1] == "return"
        undone = ["arrange_shipping", "process_payment", "reserve_stock", "create_order"]
        assert steps_of(saga, "undo", "done") == undone
    else:
        assert events_in(saga)[-5:] == [
            "OrderReturnRequested",
            "StockReleased",
            "ShippingReturned",
            "PaymentRefunded",
            "OrderReturned",
        ]
    assert failing() == {}


def test_a_second_return_changes_nothing(desk, delivered, status_of):
    desk.post(f"/orders/{delivered}/return", REASON)
    before = status_of(delivered)
    second = desk.post(f"/orders/{delivered}/return", {"reason": "Again."})
    assert (second.status_code, second.json()["cancel_reason"]) == (200, REASON["reason"])
    assert status_of(delivered) == before
    assert end_of(delivered) == ("returned", 0, 0, [("book-123", 5, 0)])


@pytest.mark.parametrize("progress", [None, Progress.SHIPPED])
def test_an_order_that_is_not_delivered_cannot_be_returned(desk, bought, status_of, progress):
    if progress:
        carrier.report(bought, progress)
    before = status_of(bought)
    response = desk.post(f"/orders/{bought}/return", REASON)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (409, "not_delivered")
    assert problem["shipment_status"] == (progress or "arranged")
    assert status_of(bought) == before
    assert end_of(bought)[:2] == ("completed", 2200)


def test_a_delivered_order_cannot_be_cancelled(api, delivered):
    response = api.post(f"/orders/{delivered}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "already_shipped")
    assert end_of(delivered)[:2] == ("completed", 2200)


@pytest.mark.parametrize("token", ["tok_ok", "tok_expired_card"])
def test_an_order_that_was_undone_cannot_be_returned(api, desk, place, shelve, token):
    shelve("book-123", 5)
    order_id = place(("book-123", 2), payment_token=token).json()["order_id"]
    api.post(f"/orders/{order_id}/cancel")
    response = desk.post(f"/orders/{order_id}/return")
    assert (response.status_code, response.json()["code"]) == (409, "not_delivered")
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 5, 0)])


def test_a_draft_cannot_be_returned(api, desk):
    draft = api.post("/orders", {}).json()["order_id"]
    assert desk.post(f"/orders/{draft}/return").json()["code"] == "saga_not_found"


def test_cancelling_a_returned_order_changes_nothing(api, desk, delivered):
    desk.post(f"/orders/{delivered}/return", REASON)
    response = api.post(f"/orders/{delivered}/cancel", {"reason": "Never mind."})
    assert (response.status_code, response.json()["status"]) == (200, "returned")
    assert response.json()["cancel_reason"] == REASON["reason"]


@pytest.mark.parametrize(("amount", "rest"), [(500, [500, 1700]), (2200, [2200])])
def test_what_was_refunded_before_is_not_refunded_again(desk, delivered, status_of, amount, rest):
    desk.post("/payments/refund", {"order_id": delivered, "amount": amount, "reference": "torn"})
    assert desk.post(f"/orders/{delivered}/return").status_code == 200
    assert list(Refund.objects.order_by("pk").values_list("amount", flat=True)) == rest
    assert end_of(delivered)[:2] == ("returned", 0) and failing() == {}


def test_the_return_is_recorded(desk, delivered, api):
    desk.post(f"/orders/{delivered}/return", REASON)
    (action,) = desk.get(f"/saga/{delivered}/status").json()["actions"]
    assert (action["command"], action["actor"], action["outcome"]) == ("return", "operator", "FAILED")
    assert action["reason"] == REASON["reason"]


def test_nothing_more_is_sold_to_a_returned_order(desk, delivered):
    desk.post(f"/orders/{delivered}/return")
    items = [{"book_id": "book-123", "quantity": 1}]
    for path, body in [
        ("/inventory/reserve", {"items": items}),
        ("/payments/process", {"amount": 100, "payment_method": "credit_card"}),
        ("/shipping/arrange", {"shipping_address": "150-0001"}),
    ]:
        response = desk.post(path, {"order_id": delivered, **body})
        assert (response.status_code, response.json()["code"]) == (409, "order_returned"), path


def test_a_return_may_be_left_to_the_workers(desk, delivered):
    response = desk.post(f"/orders/{delivered}/return", REASON, headers={"Prefer": "respond-async"})
    assert (response.status_code, response["Preference-Applied"]) == (202, "respond-async")
    assert response.json()["saga_status"] == "COMPENSATION_STARTED"
    run_worker()
    assert end_of(delivered) == ("returned", 0, 0, [("book-123", 5, 0)])


def test_a_return_with_a_key_is_made_once(desk, delivered):
    responses = [
        desk.post(f"/orders/{delivered}/return", REASON, headers={"Idempotency-Key": "key"}) for _ in range(2)
    ]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[1][REPLAYED] == "true"
    assert SagaInstance.objects.get().actions.count() == 1


def test_a_return_whose_refund_is_in_doubt_waits(desk, delivered, monkeypatch):
    def lose(self, key, **body):
        raise OutcomeUnknown("silence")

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", lose)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        assert desk.post(f"/orders/{delivered}/return", REASON).status_code == 202
        assert desk.post(f"/orders/{delivered}/return", {"reason": "Again."}).status_code == 202
    assert failing() == {}
    run_worker()
    assert end_of(delivered) == ("returned", 0, 0, [("book-123", 5, 0)])
    assert len({key for method, key in gateway().diary if method == "refund"}) == 1


def test_an_unforeseen_error_during_a_return_leaves_it_waiting(desk, delivered, monkeypatch):
    def fail(self, key, **body):
        raise RuntimeError("poison")

    with monkeypatch.context() as broken:
        broken.setattr(MockGateway, "refund", fail)
        response = desk.post(f"/orders/{delivered}/return", REASON)
        assert response.status_code == 202
    assert "RuntimeError" in SagaInstance.objects.get().attention
    run_worker()
    assert end_of(delivered)[:2] == ("returned", 0)


def test_an_unforeseen_error_before_a_return_leaves_nothing(desk, delivered, monkeypatch):
    def fail(*args):
        raise RuntimeError("poison")

    monkeypatch.setattr(reactions_of_payments.services.refund, "begin", fail)
    assert desk.post(f"/orders/{delivered}/return", REASON).status_code == 500
    assert end_of(delivered)[:2] == ("completed", 2200)
    assert SagaInstance.objects.get().status == "COMPLETED" and failing() == {}


# --- Races ----------------------------------------------------------------------------------------


def test_two_returns_at_once_are_one(desk, place, shelve):
    shelve("book-123", 50)
    for _ in range(ROUNDS):
        order_id = place(("book-123", 2)).json()["order_id"]
        carrier.report(order_id, "delivered")
        responses = all_at_once([lambda o=order_id: desk.post(f"/orders/{o}/return", REASON)] * 2)
        assert {response.status_code for response in responses} <= {200, 202}
        assert end_of(order_id) == ("returned", 0, 0, [("book-123", 50, 0)])
    assert failing() == {}


def test_a_return_and_a_direct_refund_at_once_refund_no_more_than_was_paid(desk, place, shelve):
    shelve("book-123", 50)
    for _ in range(ROUNDS):
        order_id = place(("book-123", 2)).json()["order_id"]
        carrier.report(order_id, "delivered")
        refund = {"order_id": order_id, "amount": 500, "reference": "torn"}
        returned, refunded = all_at_once(
            [
                lambda o=order_id: desk.post(f"/orders/{o}/return", REASON),
                lambda body=refund: desk.post("/payments/refund", body),
            ]
        )
        assert returned.status_code == 200, returned.content
        assert refunded.status_code in {200, 202, 409}
        assert money_kept(order_id) == 0 and end_of(order_id)[0] == "returned"
    assert failing() == {}


def test_a_return_and_a_late_report_at_once_leave_the_parcel_returned(desk, place, shelve, api):
    shelve("book-123", 50)
    for _ in range(ROUNDS):
        order_id = place(("book-123", 2)).json()["order_id"]
        carrier.report(order_id, "delivered")
        returned, reported = all_at_once(
            [
                lambda o=order_id: desk.post(f"/orders/{o}/return", REASON),
                lambda o=order_id: carrier.report(o, "shipped"),
            ]
        )
        assert returned.status_code == 200 and reported.status_code in {204, 409}
        assert api.get(f"/shipping/{order_id}").json()["status"] == "returned"
    assert failing() == {}


def test_a_cancellation_and_a_return_at_once_end_as_one_of_them(desk, api, place, shelve):
    shelve("book-123", 50)
    for _ in range(ROUNDS):
        order_id = place(("book-123", 2)).json()["order_id"]
        all_at_once(
            [
                lambda o=order_id: carrier.report(o, "delivered"),
                lambda o=order_id: api.post(f"/orders/{o}/cancel"),
                lambda o=order_id: desk.post(f"/orders/{o}/return"),
            ]
        )
        status, money, _, _ = end_of(order_id)
        assert (status, money) in {("completed", 2200), ("cancelled", 0), ("returned", 0)}
    assert failing() == {}


def test_a_return_of_an_order_that_is_completed_and_delivered_meanwhile_is_refused(desk, delivered, monkeypatch):
    """Its parcel is not taken back without its money."""
    earlier = SagaInstance.objects.get()
    earlier.status = "SHIPPING_ARRANGED"
    with monkeypatch.context() as stale:
        stale.setattr(Engine, "return_order", lambda *args: earlier)
        response = desk.post(f"/orders/{delivered}/return", REASON)
    assert (response.status_code, response.json()["code"]) == (409, "saga_running")
    assert end_of(delivered)[:2] == ("completed", 2200) and failing() == {}
    assert desk.post(f"/orders/{delivered}/return", REASON).json()["status"] == "returned"


# --- A cancellation that came too late -------------------------------------------------------------


def test_a_cancelled_order_that_was_delivered_all_the_same_ends_with_its_return(api, desk, bought):
    carrier.collect(bought)
    assert api.post(f"/orders/{bought}/cancel", {"reason": "Too late."}).status_code == 202
    assert desk.post(f"/orders/{bought}/return").json()["code"] == "not_delivered"
    carrier.report(bought, "delivered")
    run_worker()
    assert money_kept(bought) == 2200
    response = desk.post(f"/orders/{bought}/return", REASON)
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.json()["cancel_reason"] == "Too late."
    assert end_of(bought) == ("cancelled", 0, 0, [("book-123", 5, 0)])
    assert desk.post(f"/orders/{bought}/return").status_code == 200
    assert failing() == {}


def test_an_abandoned_saga_is_not_returned(api, desk, bought):
    carrier.collect(bought)
    api.post(f"/orders/{bought}/cancel")
    carrier.report(bought, "delivered")
    desk.post(f"/saga/{bought}/abandon", {"reason": "The parcel is lost."})
    assert desk.post(f"/orders/{bought}/return").json()["code"] == "saga_abandoned"
    assert api.get(f"/shipping/{bought}").json()["status"] == "delivered"


def test_a_return_during_the_cancellation_of_the_parcel_is_refused(api, desk, bought, monkeypatch):
    returns = []
    cancel = MockCarrier.cancel

    def return_then_cancel(self, key, *, arrange_key):
        returns.append(desk.post(f"/orders/{bought}/return").json()["code"])
        return cancel(self, key, arrange_key=arrange_key)

    monkeypatch.setattr(MockCarrier, "cancel", return_then_cancel)
    assert api.post(f"/orders/{bought}/cancel").status_code == 200
    assert returns == ["not_delivered"] and end_of(bought)[0] == "cancelled"


def test_a_returned_parcel_is_marked_no_more(desk, delivered):
    return_order(delivered, "Sent back.", "operator")
    assert carrier.report(delivered, "delivered").status_code == 204
    mark_as_shipped(delivered)
    assert desk.get(f"/shipping/{delivered}").json()["status"] == "returned"
