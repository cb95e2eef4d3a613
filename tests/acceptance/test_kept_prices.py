"""An order keeps the prices it was placed at: whatever a book costs later, its amounts do not change."""

import pytest

from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund
from tests.acceptance.conftest import money_kept
from tests.committed import run_worker_after_leases_expire
from tests.conftest import signed_in

AMOUNTS = ("subtotal", "discount", "tax", "total")


@pytest.fixture
def reprice(operator, shelve):
    """Sets the price of book-1, which costs 1000 at first."""
    shelve("book-1", 5, price=1000)
    desk = signed_in(operator)

    def reprice(price):
        assert desk.patch("/books/book-1", {"price": price, "title": f"For {price}"}).status_code == 200

    return reprice


def amounts(order):
    return tuple(order[name] for name in AMOUNTS)


def charged(order_id):
    return [payment.amount for payment in Payment.objects.filter(order_id=order_id)]


def no_response(*args, **kwargs):
    raise OutcomeUnknown("no response")


def test_a_waiting_order_is_charged_and_refunded_at_its_own_price(api, place, reprice, monkeypatch):
    with monkeypatch.context() as gateway_is_down:
        gateway_is_down.setattr(MockGateway, "charge", no_response)
        gateway_is_down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        placed = place(("book-1", 2))
    assert placed.status_code == 202 and amounts(placed.json()) == (2000, 0, 200, 2200)
    order_id = placed.json()["order_id"]
    reprice(7000)
    run_worker_after_leases_expire()
    order = api.get(f"/orders/{order_id}").json()
    assert order["status"] == "completed" and amounts(order) == (2000, 0, 200, 2200)
    assert [(item["unit_price"], item["line_total"]) for item in order["items"]] == [(1000, 2000)]
    assert charged(order_id) == [2200] and money_kept(order_id) == 2200
    reprice(1)
    assert api.post(f"/orders/{order_id}/cancel").json()["total"] == 2200
    assert [refund.amount for refund in Refund.objects.all()] == [2200] and money_kept(order_id) == 0


def test_an_order_left_to_a_worker_keeps_its_price(api, place, reprice, style):
    body = {"book_id": "book-1", "quantity": 1, "payment_method": "credit_card", "saga": style}
    order_id = api.post("/orders", body, headers={"Prefer": "respond-async"}).json()["order_id"]
    reprice(7000)
    run_worker_after_leases_expire()
    order = api.get(f"/orders/{order_id}").json()
    assert (order["status"], order["total"], charged(order_id)) == ("completed", 1100, [1100])
    assert order["items"][0]["title"] != "For 7000"


def test_an_order_that_is_undone_gets_back_what_it_paid(place, reprice, monkeypatch):
    with monkeypatch.context() as gateway_is_down:
        gateway_is_down.setattr(MockGateway, "refund", no_response)
        gateway_is_down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        undone = place(("book-1", 1), shipping_address="999-9999 Nowhere")
    assert undone.status_code == 202 and money_kept(undone.json()["order_id"]) == 1100
    reprice(7000)
    run_worker_after_leases_expire()
    assert [refund.amount for refund in Refund.objects.all()] == [1100]
    assert money_kept(undone.json()["order_id"]) == 0


def test_a_draft_keeps_its_price_until_its_line_is_changed(api, reprice, style):
    draft = api.post("/orders", {"payment_method": "credit_card", "saga": style}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-1", "quantity": 1})
    reprice(1500)
    assert api.get(f"/orders/{draft}").json()["subtotal"] == 1000
    refused = api.post(f"/orders/{draft}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    assert refused.json()["prices"] == [{"book_id": "book-1", "expected": 1000, "current": 1500}]
    assert api.put(f"/orders/{draft}/items/book-1", {"quantity": 1}).json()["subtotal"] == 1500
    confirmed = api.post(f"/orders/{draft}/confirm").json()
    reprice(1)
    assert api.get(f"/orders/{draft}").json()["total"] == confirmed["total"] == 1650
    assert charged(draft) == [1650]
