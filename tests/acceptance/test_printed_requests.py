"""The requests that the source documents print, sent verbatim and in their order to the shop of `make run`.

The printed requests name no saga style, so that each style is the shop's own in turn. Of the last two the documents
print the names of the members, and the values are those of the first.
"""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from cloudmart.profiles import DEV
from inventory.models import InventoryRecord
from orders.models import Customer, SagaStyle
from tests.acceptance.conftest import end_of, money_kept
from tests.bookkeeping import findings
from tests.conftest import available, signed_in

PLACE = '{"customerId": "customer-001", "bookId": "book-123", "quantity": 1, "price": 3500}'
OPEN = '{"order": {"customer_name": "山田太郎"}}'
ADD_ITEM = (
    '{"order_item": {"product_id": "product_001", "product_name": "ノートPC", '
    '"quantity": 2, "unit_price_cents": 80000}}'
)
CANCEL = '{"order": {"reason": "顧客都合"}}'
ADD_STOCK = '{"quantity": 100}'
RESERVE = '{"orderId": "01a1fc13-06f4-71f7-ac05-df3857a063f2", "bookId": "book-123", "quantity": 1}'
START = '{"customerId": "customer-001", "bookId": "book-123", "quantity": 1, "price": 3500}'

CAMEL = {"Accept": "application/json; case=camel"}


@pytest.fixture
def clerk(transactional_db, style, settings):
    settings.SAGA_STYLE = style
    settings.PICKUP_POSTAL_CODE, settings.PICKUP_ADDRESS = DEV.pickup_postal_code, DEV.pickup_address
    call_command("seed", demo_users=True, verbosity=0)
    return signed_in(get_user_model().objects.get(username="operator"))


@pytest.fixture
def send(clerk):
    """Sends a POST request with this text as its body, or without a body and Content-Type. Returns the JSON."""

    def send(path, text="", status=200):
        more = {"data": text.encode(), "content_type": "application/json"} if text else {}
        response = clerk.generic("POST", path, **more)
        assert response.status_code == status, response.content.decode()
        return response.json()

    return send


def test_every_printed_request_is_accepted(clerk, send, style):
    placed = send("/orders", PLACE, 201)
    assert (placed["customer_id"], placed["subtotal"], placed["payment_method"]) == (
        "customer-001",
        3500,
        "credit_card",
    )
    assert (placed["status"], placed["saga"]) == ("completed", style)

    draft = send("/orders", OPEN, 201)
    path = f"/orders/{draft['order_id']}"
    guest = Customer.objects.get(pk=draft["customer_id"])
    assert (draft["status"], guest.name, guest.email) == ("draft", "山田太郎", "")

    (item,) = send(f"{path}/add_item", ADD_ITEM)["items"]
    assert item == {
        "book_id": "product_001",
        "title": "ノートPC",
        "unit_price": 80000,
        "quantity": 2,
        "line_total": 160000,
        "held_until": item["held_until"],
    }
    assert item["held_until"] and available("product_001") == 8

    confirmed = send(f"{path}/confirm")
    assert (confirmed["status"], confirmed["total"], confirmed["saga"]) == ("completed", 176000, style)
    assert money_kept(draft["order_id"]) == 176000

    cancelled = send(f"{path}/cancel", CANCEL)
    assert (cancelled["status"], cancelled["cancel_reason"]) == ("cancelled", "顧客都合")
    assert end_of(draft["order_id"])[:3] == ("cancelled", 0, 0)
    assert available("product_001") == 10

    assert send("/inventory/product_001/add_stock", ADD_STOCK)["total_quantity"] == 110

    (held,) = send("/inventory/reserve", RESERVE)["reservations"]
    assert (held["book_id"], held["quantity"], held["status"]) == ("book-123", 1, "active")

    started = send("/saga/start", START, 201)
    assert (started["status"], started["saga"]) == ("completed", SagaStyle.ORCHESTRATION)

    shelf = InventoryRecord.objects.get(pk="book-123")
    assert (shelf.on_hand, shelf.reserved) == (3, 1), "two of five are sold, and one is reserved"
    assert findings() == {}


def test_every_printed_request_can_be_repeated_with_its_key(clerk):
    """The documents' two POSTs of an order, as a client sends them that did not get the response."""
    for text in (PLACE, OPEN):
        key = {"Idempotency-Key": text.encode().hex()[:40]}
        responses = [
            clerk.generic("POST", "/orders", text.encode(), content_type="application/json", headers=key)
            for _ in range(2)
        ]
        assert [response.status_code for response in responses] == [201, 201]
        assert responses[0].json() == responses[1].json() and responses[1]["Idempotent-Replayed"] == "true"
    assert Customer.objects.filter(name="山田太郎").count() == 1


@pytest.mark.parametrize("style", [SagaStyle.CHOREOGRAPHY], indirect=True)
def test_the_printed_event_can_be_read_as_printed(clerk, send):
    """{"eventType": "OrderCreated", "orderId", "bookId", "quantity", "customerId", "totalAmount", "timestamp"}"""
    order_id = send("/orders", PLACE, 201)["order_id"]
    events = clerk.get(f"/saga/{order_id}/status", headers=CAMEL).json()["events"]
    created = events[0]
    assert created["eventType"] == "OrderCreated" and created["timestamp"]
    expected = {
        "orderId": order_id,
        "bookId": "book-123",
        "quantity": 1,
        "customerId": "customer-001",
        "totalAmount": 3850,
    }
    assert {name: created["payload"][name] for name in expected} == expected
