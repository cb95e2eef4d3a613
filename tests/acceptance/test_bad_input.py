"""Bad input is a 4xx that names the error, and writes nothing."""

import json

import pytest

from inventory.models import Reservation, StockEvent
from orders.models import Order, OrderItem
from payments.models import Payment
from sagas.models import Event, SagaInstance, SagaStepLog
from shipping.models import Shipment
from tests.conftest import signed_in
from tests.known_bugs import known_bug

pytestmark = pytest.mark.any_database

GOOD = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
WRITTEN = (Order, OrderItem, Reservation, Payment, Shipment, SagaInstance, SagaStepLog, Event)


ADDRESS = "shipping_address.address"
TOO_LARGE = "order_too_large"


def without(*names):
    return {key: value for key, value in GOOD.items() if key not in names}


@pytest.fixture(autouse=True)
def nothing_is_written(shelve):
    shelve("book-123", 5, price=3500)
    ledger = StockEvent.objects.count()
    yield
    assert not any(model.objects.exists() for model in WRITTEN)
    assert StockEvent.objects.count() == ledger


@pytest.mark.parametrize("style", ["orchestration", "choreography"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**GOOD, "quantity": 0}, "quantity"),
        ({**GOOD, "quantity": -1}, "quantity"),
        ({**GOOD, "quantity": 1.5}, "quantity"),
        ({**GOOD, "quantity": 10**9}, "quantity"),
        ({**GOOD, "quantity": "1"}, "quantity"),
        ({**GOOD, "quantity": True}, "quantity"),
        ({**GOOD, "quantity": None}, "quantity"),
        ({**GOOD, "quantity": [1]}, "quantity"),
        (without("quantity"), "quantity"),
        (without("book_id"), "book_id"),
        ({**GOOD, "payment_method": "shells"}, "payment_method"),
        ({**GOOD, "book_id": "b" * 65}, "book_id"),
        ({**GOOD, "book_id": "book\0"}, "book_id"),
        ({**GOOD, "book_id": {}}, "book_id"),
        ({**GOOD, "price": -1}, "price"),
        ({**GOOD, "price": 3500.5}, "price"),
        ({**GOOD, "items": [{"book_id": "book-123", "quantity": 1}]}, "book_id"),
        ({**without("book_id"), "items": []}, "items"),
        ({"customer_id": "customer-001", "payment_method": "e_money", "items": []}, "items"),
        ({"customer_id": "customer-001", "payment_method": "e_money", "items": "book-123"}, "items"),
        ({"customer_id": "customer-001", "payment_method": "e_money", "items": [1]}, "items.0"),
        (
            {"customer_id": "customer-001", "payment_method": "e_money", "items": [{"book_id": "book-123"}]},
            "items.0.quantity",
        ),
        (
            {"payment_method": "e_money", "items": [{"book_id": "book-123", "quantity": 1, "colour": "red"}]},
            "items.0.colour",
        ),
        ({"payment_method": "e_money", "items": [{"book_id": "book-123", "quantity": 1}] * 101}, "items"),
        ({**GOOD, "total": 1}, "total"),
        ({**GOOD, "status": "completed"}, "status"),
        ({**GOOD, "region": "Japan"}, "region"),
        ({**GOOD, "shipping_address": "somewhere"}, "shipping_address"),
        ({**GOOD, "shipping_address": {"zip": "1"}}, "shipping_address.zip"),
        ({**GOOD, "shipping_address": {"postal_code": "150-0001", "country": "jp"}}, "shipping_address.country"),
        ({**GOOD, "shipping_address": {"postal_code": "150-0001", "country": "ZZ"}}, "shipping_address.country"),
        ({**GOOD, "shipping_address": {"postal_code": "150-0001", "country": None}}, "shipping_address.country"),
        ({**GOOD, "shipping_address": {"postal_code": "150-0001", "country": ["JP"]}}, "shipping_address.country"),
        ({**GOOD, "shipping_address": {"country": "DE"}}, "shipping_address.postal_code"),
        ({**GOOD, "shipping_address": {"postal_code": "10115", "country": "JP"}}, "shipping_address.postal_code"),
        ({**GOOD, "shipping_address": {"postal_code": 10115, "country": "DE"}}, "shipping_address.postal_code"),
        ({**GOOD, "shipping_address": {"postal_code": "1" * 17, "country": "DE"}}, "shipping_address.postal_code"),
        ({**GOOD, "shipping_address": {"postal_code": " 10115", "country": "DE"}}, "shipping_address.postal_code"),
        ({**GOOD, "shipping_address": {"postal_code": "10115", "country": "DE", "address": 1}}, ADDRESS),
        ({**GOOD, "shipping_address": "150-0001 " + "x" * 500}, "shipping_address"),
        ({**GOOD, "shipping_address": "150-0001\0"}, "shipping_address"),
        ({**GOOD, "shipping_address": 1500001}, "shipping_address"),
    ],
)
def test_a_wrong_field_is_named(api, body, field, style):
    response = api.post("/orders", {**body, "saga": style})
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "invalid" and problem["status"] == 400
    assert field in {error["field"] for error in problem["errors"]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**GOOD, "book_id": "book-999"}, 404, "book_not_found"),
        ({**GOOD, "book_id": "BOOK-123"}, 404, "book_not_found"),
        ({**GOOD, "customer_id": "customer-999"}, 404, "customer_not_found"),
        ({**GOOD, "coupon": "FREE"}, 404, "unknown_coupon"),
        ({**GOOD, "price": 1}, 409, "price_changed"),
        ({**GOOD, "region": "US"}, 409, "region_differs"),
        ({**GOOD, "region": "US", "shipping_address": "150-0001"}, 409, "region_differs"),
        ({**GOOD, "region": "JP", "shipping_address": {"postal_code": "1", "country": "DE"}}, 409, "region_differs"),
        ({**GOOD, "quantity": 6}, 409, "out_of_stock"),
        ({**without("book_id", "quantity"), "items": [{"book_id": "book-123", "quantity": 501}] * 2}, 409, TOO_LARGE),
    ],
)
def test_an_order_that_cannot_be_placed_is_refused(api, body, status, code):
    response = api.post("/orders", body)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_changed_price_is_reported_with_the_current_one(api):
    response = api.post("/orders", {**GOOD, "price": 3000})
    assert response.json()["prices"] == [{"book_id": "book-123", "expected": 3000, "current": 3500}]


@known_bug("CVE-2017-12635")
@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"order"',
        "7",
        "null",
        "[" * 100_000,
        '{"\\ud800": 1}',
        '{"saga": "\\ud800"}',
        '{"book_id": NaN}',
        '{"bookId": 1, "book_id": 2}',
        '{"quantity": 1, "quantity": 2}',
        '{"items": [{"quantity": 1, "quantity": 1}]}',
        '{"shipping_address": {"postalCode": "150-0001", "postal_code": "150-0001"}}',
        '{"\\ud800": 1, "\\ud800": 2}',
        '{"quantity": ' + "9" * 5000 + "}",
        b'{"saga": "\xff"}',
        "{}".encode("utf-16"),
    ],
)
def test_a_malformed_body_is_rejected(api, body):
    response = api.post("/orders", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["code"] in {"invalid", "parse_error"}


@known_bug("CVE-2017-12635")
@pytest.mark.parametrize(
    "twice", ['"quantity": 1', '"shipping_address": {"postal_code": "150-0001", "postal_code": "150-0002"}']
)
def test_a_body_with_a_duplicate_key_is_rejected(api, twice):
    body = f"{json.dumps(GOOD)[:-1]}, {twice}}}"
    response = api.post("/orders", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "parse_error")


def test_a_form_is_rejected_as_an_unsupported_media_type(api):
    response = api.post("/orders", "book_id=book-123", content_type="application/x-www-form-urlencoded")
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


def test_an_unknown_path_is_404_and_an_unsupported_method_is_405(api):
    assert api.get("/nothing").json()["code"] == "not_found"
    refused = api.delete("/orders")
    assert refused.status_code == 405 and "GET" in refused["Allow"]
    assert api.get("/saga/start").status_code == 405


def test_a_customer_without_an_address_must_send_one(api, customer):
    customer.postal_code = ""
    customer.save()
    refused = api.post("/orders", GOOD)
    assert refused.status_code == 409 and refused.json()["code"] == "no_shipping_address"


@pytest.mark.parametrize("command", ["reserve", "release"])
def test_the_copies_of_a_book_are_limited_over_all_lines(operator, command):
    """1000 copies a line: a book on 100 lines would be 100,000."""
    items = [{"book_id": "book-123", "quantity": 1000}] * 100
    order = {"order_id": "01a1fc13-06f4-71f7-ac05-df3857a063f2", "items": items}
    refused = signed_in(operator).post(f"/inventory/{command}", order)
    assert (refused.status_code, refused.json()["code"]) == (409, TOO_LARGE)
    assert refused.json()["most_copies"] == 1000
