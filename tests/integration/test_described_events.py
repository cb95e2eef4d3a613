"""What is recorded of orders and books, in both styles, is what the API's description says of webhooks."""

import json
from uuid import UUID

import pytest

from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.models import WebhookDelivery
from cloudmart.webhooks.recording import receive, record_test
from orders.models import SagaStyle
from sagas.operations.parcels import mark_as_delivered, mark_as_shipped
from tests.webhook_schemas import faults_of
from tests.webhooks import make_endpoint

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize("style", SagaStyle)
def test_every_recorded_event_is_as_described(api, desk, shelve, style):
    endpoint = make_endpoint()
    shelve("book-123", 12)
    assert desk.patch("/books/book-123", {"low_stock_threshold": 10}).status_code == 200

    def place(**more):
        body = {"book_id": "book-123", "quantity": 2, "payment_method": "credit_card", "saga": style, **more}
        return api.post("/orders", body).json()["order_id"]

    delivered, cancelled = place(), place(coupon="WELCOME10")
    refund = {"order_id": delivered, "amount": 1, "reference": "damaged", "reason": "The cover was damaged"}
    assert desk.post("/payments/refund", refund).status_code == 200
    mark_as_shipped(UUID(delivered))
    mark_as_delivered(UUID(delivered))
    assert desk.post(f"/orders/{delivered}/return").status_code == 200
    assert api.post(f"/orders/{cancelled}/cancel", {"reason": "Ordered twice"}).status_code == 200
    place(payment_token="tok_insufficient_funds")
    place(shipping_address="999-9999")
    record_test(endpoint)
    pass_on(Consumer.WEBHOOKS, receive)

    events = [json.loads(body) for body in WebhookDelivery.objects.values_list("body", flat=True)]
    assert {event["type"] for event in events} == {*EventType}
    assert [(event["type"], faults) for event in events if (faults := faults_of(event))] == []
