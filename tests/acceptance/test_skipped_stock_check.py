"""An order that skips the check of the availability: its saga runs out of stock, in both styles."""

import pytest
from django.core import mail

from orders.models import Customer, Mail, Order, SagaStyle
from payments.gateways.port import gateway
from payments.models import Payment
from sagas.desk.mails import send_mails
from sagas.models import Event, SagaInstance
from shipping.carriers.port import carrier
from shipping.models import Shipment
from tests.acceptance.conftest import end_of, events_in, holds, steps_of
from tests.bookkeeping import findings

SKIPPING = {"CloudMart-Skip-Stock-Check": "true"}
SHORTAGE = [{"book_id": "book-456", "requested": 2, "available": 1}]


@pytest.fixture
def order(api, shelve, style):
    """Orders more copies of a book than there are, with these headers."""
    shelve("book-123", 5)
    shelve("book-456", 1)
    items = [{"book_id": "book-123", "quantity": 1}, {"book_id": "book-456", "quantity": 2}]

    def order(path="/orders", **headers):
        body = {"items": items, "payment_method": "credit_card", "payment_token": "tok_ok"}
        return api.post(path, body | ({"saga": style} if path == "/orders" else {}), headers=headers)

    return order


def test_the_saga_runs_out_of_stock_and_compensates(order, style, status_of):
    response = order(**SKIPPING)
    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["saga_status"], problem["shortages"]) == ("out_of_stock", "FAILED", SHORTAGE)
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, 0), ("book-456", 1, 0)])
    assert holds(problem["order_id"]) == set()
    saga = status_of(problem["order_id"])
    assert saga["history"] == ["STARTED", "ORDER_CREATED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "do", "done") == ["create_order"]
        assert steps_of(saga, "do", "failed") == ["reserve_stock"]
        assert steps_of(saga, "undo", "done") == ["create_order"]
    else:
        assert events_in(saga) == [
            "OrderCreated",
            "StockUnavailable",
            "ShippingCancelled",
            "PaymentCancelled",
            "OrderCancelled",
        ]
    assert findings() == {}


def test_no_provider_is_called_and_nothing_is_captured(order, style):
    order_id = order(**SKIPPING).json()["order_id"]
    assert not gateway().diary and not carrier().diary
    recorded = [] if style == SagaStyle.ORCHESTRATION else ["cancelled"]
    for model in (Payment, Shipment):
        assert list(model.objects.filter(order_id=order_id).values_list("status", flat=True)) == recorded


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["a book that you ordered has just been sold out", "You have not been charged."]),
        ("ja", ["在庫がなくなった", "代金は請求されておりません"]),
    ],
)
def test_the_mail_says_why_and_that_nothing_was_charged(order, customer, language, sentences):
    Customer.objects.update(language=language)
    order(**SKIPPING)
    send_mails()
    (message,) = mail.outbox
    assert message.to == [customer.email]
    assert all(sentence in message.body for sentence in sentences), message.body


def test_saga_start_takes_the_header_too(order, style):
    """It always orchestrates."""
    response = order("/saga/start", **SKIPPING)
    assert response.status_code == 409 and response.json()["saga_status"] == "FAILED"
    assert Order.objects.get().saga_style == SagaStyle.ORCHESTRATION


def test_a_repeat_gets_the_response_of_the_first(order):
    first, second = (order(**SKIPPING, **{"Idempotency-Key": "key"}) for _ in range(2))
    assert first.json()["order_id"] == second.json()["order_id"]
    assert second["Idempotent-Replayed"] == "true" and Order.objects.count() == 1


@pytest.mark.parametrize("value", ["false", "", "1", "yes, please"])
def test_any_other_value_skips_nothing(order, value):
    assert_refused_at_the_desk(order(**{"CloudMart-Skip-Stock-Check": value}))


def test_the_header_is_ignored_where_magic_values_are(order, settings):
    settings.ALLOW_MAGIC_TOKENS = False
    assert_refused_at_the_desk(order(**SKIPPING))


def assert_refused_at_the_desk(response):
    assert response.status_code == 409
    assert response.json()["shortages"] == SHORTAGE and "order_id" not in response.json()
    for model in (Order, SagaInstance, Event, Payment, Shipment, Mail):
        assert not model.objects.exists()


def test_an_order_with_enough_stock_completes(order, shelve, api):
    body = {"book_id": "book-789", "quantity": 1, "payment_method": "credit_card"}
    shelve("book-789", 1)
    assert api.post("/orders", body, headers=SKIPPING).status_code == 201
