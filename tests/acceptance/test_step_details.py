"""The step log names each command, with what is worth knowing of it."""

import pytest

from inventory import selectors as inventory
from orders.models import SagaStyle
from payments.models import Payment
from sagas.models import SagaStepLog
from shipping.carriers.mock import MockCarrier
from shipping.models import Shipment
from tests.committed import let_reservations_expire


@pytest.fixture
def log_of(api, shelve):
    """Places an orchestrated order, and returns the command, direction and detail of each line of its log."""
    shelve("book-123", 5)

    def log_of(cancel=False, **more):
        order = {
            "book_id": "book-123",
            "quantity": 2,
            "payment_method": "credit_card",
            "saga": SagaStyle.ORCHESTRATION,
        }
        order_id = api.post("/orders", {**order, **more}).json()["order_id"]
        if cancel:
            assert api.post(f"/orders/{order_id}/cancel", {"reason": "Ordered twice"}).status_code == 200
        steps = api.get(f"/saga/{order_id}/status").json()["steps"]
        assert [step["detail"] for step in steps] == list(SagaStepLog.objects.values_list("detail", flat=True))
        return [(step["detail"].pop("command", None), step["status"], step["detail"]) for step in steps]

    return log_of


def test_a_completed_order(log_of):
    amount, carrier = {"amount": 2200}, {"carrier": "mock"}
    log = log_of()
    payment, parcel = Payment.objects.get(), Shipment.objects.get()
    assert log == [
        ("CreateOrder", "done", {}),
        ("ReserveStock", "done", {}),
        ("ProcessPayment", "started", amount),
        ("ProcessPayment", "done", {**amount, "transaction_id": payment.transaction_id}),
        ("ArrangeShipping", "started", carrier),
        ("ArrangeShipping", "done", {**carrier, "tracking_number": parcel.tracking_number}),
        ("CompleteOrder", "done", {}),
    ]


def test_a_cancelled_order(log_of):
    log = log_of(cancel=True)[7:]
    amount = {"amount": 2200}
    parcel = {"carrier": "mock", "tracking_number": Shipment.objects.get().tracking_number}
    assert log == [
        (None, "done", {"code": "order_cancelled", "detail": "Ordered twice", "reason": "Ordered twice"}),
        ("CancelShipping", "started", parcel),
        ("CancelShipping", "done", parcel),
        ("RefundPayment", "started", amount),
        ("RefundPayment", "done", amount),
        ("ReleaseStock", "done", {}),
        ("CancelOrder", "done", {}),
    ]


def test_a_refused_provider_call_has_the_refusal(log_of, settings):
    settings.PROVIDER_TEXTS = "plain"
    log = log_of(payment_token="tok_insufficient_funds")
    refusal = {
        "code": "payment_declined",
        "detail": "The account has not enough funds.",
        "reason": "insufficient_funds",
    }
    assert log[3:] == [
        ("ProcessPayment", "failed", {"amount": 2200, **refusal}),
        ("RefundPayment", "skipped", {}),
        ("ReleaseStock", "done", {}),
        ("CancelOrder", "done", {}),
    ]


def test_only_the_last_failed_attempt_has_the_outcome(log_of):
    attempts = [detail for command, status, detail in log_of(shipping_address="999-9999") if status == "failed"]
    failure = {"code": "shipping_failed", "detail": "The carrier could not be reached; no delivery was arranged."}
    assert attempts == [{"carrier": "mock"}, {"carrier": "mock"}, {"carrier": "mock", **failure}]


def test_a_refused_local_step_has_the_refusal(log_of, monkeypatch):
    monkeypatch.setattr(inventory, "check_availability", lambda books, wanted: None)
    (command, status, detail) = log_of(quantity=6)[1]
    assert (command, status, detail["code"]) == ("ReserveStock", "failed", "out_of_stock")
    assert detail["shortages"][0]["available"] == 5


def test_a_reservation_that_expires_before_the_sale(log_of, monkeypatch):
    arrange = MockCarrier.arrange

    def too_late(*args, **kwargs):
        let_reservations_expire()
        return arrange(*args, **kwargs)

    monkeypatch.setattr(MockCarrier, "arrange", too_late)
    (detail,) = (detail for command, status, detail in log_of() if (command, status) == ("CompleteOrder", "failed"))
    assert (detail["code"], detail["book_ids"]) == ("reservation_expired", ["book-123"])
