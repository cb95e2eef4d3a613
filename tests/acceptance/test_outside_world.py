"""Orders whose payments and parcels are the sandbox's, over HTTP, in a process of its own."""

import logging
from time import monotonic

import pytest

from cloudmart.sandbox.ledger import entries_in, live
from inventory.models import InventoryRecord
from orders.price_rules import Discount
from tests.acceptance.conftest import decline_of, end_of
from tests.conftest import signed_in
from tests.integration.test_audit import failing
from tests.processes import TIMEOUT


@pytest.fixture(autouse=True)
def three_copies(outside, shelve):
    shelve("book-123", 3)


@pytest.fixture
def booked(outside):
    """Returns the sandbox's entries for an order: (kind, amount), oldest first."""

    def booked(order_id):
        return [(entry.kind, entry.amount) for entry in entries_in(outside.ledger, order_id=order_id)]

    return booked


def test_an_order_completes(place, booked, outside):
    order = place(("book-123", 1)).json()
    assert end_of(order["order_id"]) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert booked(order["order_id"]) == [("charge", 1100), ("parcel", 1)]


def test_a_declined_payment_releases_the_stock(place, booked):
    response = place(("book-123", 1), payment_token="tok_insufficient_funds")
    problem = response.json()
    assert response.status_code == 402
    assert problem.items() >= decline_of("tok_insufficient_funds").items()
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert booked(problem["order_id"]) == []


@pytest.mark.parametrize("address", ["999-9999", "000-0000"])
def test_an_order_that_cannot_be_delivered_is_refunded(place, booked, outside, address):
    problem = place(("book-123", 1), shipping_address=address).json()
    assert problem["code"] == "shipping_failed"
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert booked(problem["order_id"]) == [("charge", 1100), ("refund", -1100)]


def test_a_cancelled_order_is_undone_at_both_providers(place, booked, api, outside):
    order_id = place(("book-123", 1)).json()["order_id"]
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert live(entries_in(outside.ledger, order_id=order_id)) == {}
    assert sorted(booked(order_id)) == [("call_off", -1), ("charge", 1100), ("parcel", 1), ("refund", -1100)]


@pytest.mark.parametrize("off", [{"percent_off": 100}, {"amount_off": 5000}], ids=["percentage", "amount"])
def test_an_order_that_costs_nothing_is_not_charged(place, booked, api, off):
    Discount.objects.create(name="Gift", code="GIFT", **off)
    placed = place(("book-123", 1), coupon="GIFT")
    assert placed.status_code == 201 and placed.json()["total"] == 0
    order_id = placed.json()["order_id"]
    assert end_of(order_id) == ("completed", 0, 1, [("book-123", 2, 0)])
    assert booked(order_id) == [("parcel", 1)]
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert booked(order_id) == [("parcel", 1), ("call_off", -1)]
    with_other_orders = {"gateway_agrees", "carrier_agrees"}  # the sandbox has those of the other tests
    assert not failing().keys() - with_other_orders


def test_a_charge_whose_response_is_lost_is_made_once(place, booked):
    order = place(("book-123", 1), payment_token="tok_timeout_1").json()
    assert end_of(order["order_id"]) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert booked(order["order_id"]) == [("charge", 1100), ("parcel", 1)]


def test_a_charge_whose_every_response_is_lost_is_looked_up(place, booked, settings):
    order = place(("book-123", 1), payment_token=f"tok_timeout_{settings.PROVIDER_TRIES}").json()
    assert order["status"] == "completed"
    assert booked(order["order_id"]) == [("charge", 1100), ("parcel", 1)]


@pytest.mark.parametrize("provider", ["payments", "carrier"])
@pytest.mark.parametrize("fault", ["unavailable", "drop_before", "drop_after", "error_after"])
def test_a_single_fault_fails_no_order(place, booked, outside, provider, fault):
    outside.turn(provider, **{fault: 1})
    order = place(("book-123", 1)).json()
    assert end_of(order["order_id"]) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert booked(order["order_id"]) == [("charge", 1100), ("parcel", 1)]


def test_a_duplicated_request_is_carried_out_once(place, booked, outside, operator):
    """The second of two concurrent requests is refused, and tests have no backoff, so an order may have to wait."""
    retry = signed_in(operator)
    outside.turn("payments", duplicate=1000)
    outside.turn("carrier", duplicate=1000)
    order_id = place(("book-123", 1)).json()["order_id"]
    deadline = monotonic() + TIMEOUT
    while retry.post(f"/saga/{order_id}/retry").json()["status"] != "COMPLETED":
        assert monotonic() < deadline
    assert booked(order_id) == [("charge", 1100), ("parcel", 1)]


def test_an_order_waits_for_an_unresponsive_gateway_and_then_continues(place, booked, outside, operator):
    outside.turn("payments", drop_after=1000)
    response = place(("book-123", 1))
    order_id = response.json()["order_id"]
    assert response.status_code == 202
    assert booked(order_id) == [("charge", 1100)], "charged, for all that we know not"
    outside.turn("payments")
    assert signed_in(operator).post(f"/saga/{order_id}/retry").json()["status"] == "COMPLETED"
    assert booked(order_id) == [("charge", 1100), ("parcel", 1)]


def test_an_order_fails_when_the_gateway_is_unavailable(place, booked, outside):
    outside.turn("payments", unavailable=1000)
    problem = place(("book-123", 1)).json()
    assert problem["code"] == "payment_unavailable"
    assert InventoryRecord.objects.get().reserved == 0 and booked(problem["order_id"]) == []


def test_no_payment_token_is_logged(place, lines, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    order = place(("book-123", 1), payment_token="tok_4242-distinctive")
    assert order.status_code == 201
    logged = f"{lines()}{capfd.readouterr()}"
    assert "httpcore" in logged and "distinctive" not in logged
    assert not [line for line in lines() if line["logger"] == "httpx"]


def test_a_charge_in_doubt_is_not_refused_because_the_gateway_is_unavailable(place, api, operator, booked, outside):
    """Every response was lost, and later the gateway is unavailable."""
    outside.turn("payments", drop_after=1000)
    waiting = place(("book-123", 1))
    assert waiting.status_code == 202
    order_id = waiting.json()["order_id"]
    outside.turn("payments", unavailable=1000)
    clerk = signed_in(operator)
    assert clerk.post(f"/saga/{order_id}/retry").status_code == 202
    assert api.get(f"/orders/{order_id}").json()["status"] == "pending"
    outside.turn("payments")
    assert clerk.post(f"/saga/{order_id}/retry").status_code == 200
    assert end_of(order_id) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert booked(order_id) == [("charge", 1100), ("parcel", 1)]
