"""Bad input is a clear 4xx, and writes nothing."""

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
        (without("payment_method"), "payment_method"),
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
    answer = api.post("/orders", {**body, "saga": style})
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
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
def test_what_cannot_be_done_is_refused(api, body, status, code):
    answer = api.post("/orders", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_changed_price_comes_with_the_current_one(api):
    answer = api.post("/orders", {**GOOD, "price": 3000})
    assert answer.json()["prices"] == [{"book_id": "book-123", "expected": 3000, "current": 3500}]


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
def test_what_is_no_order_is_refused(api, body):
    answer = api.post("/orders", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] in {"invalid", "parse_error"}


@known_bug("CVE-2017-12635")
@pytest.mark.parametrize(
    "twice", ['"quantity": 1', '"shipping_address": {"postal_code": "150-0001", "postal_code": "150-0002"}']
)
def test_a_good_order_that_names_a_key_twice_is_not_read(api, twice):
    body = f"{json.dumps(GOOD)[:-1]}, {twice}}}"
    answer = api.post("/orders", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_a_form_is_not_json(api):
    answer = api.post("/orders", "book_id=book-123", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


def test_a_path_that_does_not_exist_and_a_verb_that_is_not_meant(api):
    assert api.get("/nothing").json()["code"] == "not_found"
    refused = api.delete("/orders")
    assert refused.status_code == 405 and "GET" in refused["Allow"]
    assert api.get("/saga/start").status_code == 405


def test_a_customer_without_an_address_must_name_one(api, customer):
    customer.postal_code = ""
    customer.save()
    assert api.post("/orders", GOOD).json()["code"] == "no_shipping_address"


@pytest.mark.parametrize("command", ["reserve", "release"])
def test_copies_are_limited_however_many_lines_name_them(operator, command):
    """1000 copies a line: a book on 100 lines would be 100,000."""
    items = [{"book_id": "book-123", "quantity": 1000}] * 100
    order = {"order_id": "01a1fc13-06f4-71f7-ac05-df3857a063f2", "items": items}
    refused = signed_in(operator).post(f"/inventory/{command}", order)
    assert (refused.status_code, refused.json()["code"]) == (409, TOO_LARGE)
    assert refused.json()["most_copies"] == 1000
