"""Requests with other names of the fields, in a wrapper, or in the short form, mean what the documented ones mean."""

import json

import jsonschema
import pytest

from cloudmart.api.document import document
from inventory.models import Reservation
from orders.models import Order, OrderItem
from payments.models import Payment
from sagas.models import SagaInstance
from tests.acceptance.conftest import holds
from tests.conftest import order_snapshot

BOOK = {"book_id": "book-123", "quantity": 2, "price": 3500}
ALIASED = {"product_id": "book-123", "product_name": "ノートPC", "quantity": 2, "unit_price_cents": 3500}
CAMEL = {"productId": "book-123", "productName": "ノートPC", "quantity": 2, "unitPriceCents": 3500}

pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def books(shelve):
    shelve("book-123", 50, price=3500)
    shelve("book-456", 50, price=500)


ORDERS = [
    BOOK,
    ALIASED,
    CAMEL,
    {"order": BOOK},
    {"order": CAMEL},
    {"items": [ALIASED]},
    {"order": {"items": [CAMEL]}},
]


@pytest.mark.parametrize("body", ORDERS)
@pytest.mark.parametrize("path", ["/orders", "/saga/start"])
def test_an_order_means_the_same_in_every_form(api, path, body):
    response = api.post(path, body)
    assert response.status_code == 201, response.content
    (item,) = response.json()["items"]
    assert (item["book_id"], item["quantity"], item["unit_price"]) == ("book-123", 2, 3500)
    assert item["title"] != "ノートPC", "the shop has its own titles"


@pytest.mark.parametrize("path", ["items", "add_item"])
@pytest.mark.parametrize("body", [BOOK, ALIASED, CAMEL, {"order_item": ALIASED}, {"orderItem": CAMEL}])
def test_a_book_is_added_to_a_draft_in_every_form(api, path, body):
    draft = api.post("/orders")["Location"]
    (item,) = api.post(f"{draft}/{path}", body).json()["items"]
    assert (item["book_id"], item["quantity"], item["unit_price"]) == ("book-123", 2, 3500)
    changed = {"order_item": {"quantity": 1, "unit_price_cents": 3500}}
    assert api.put(f"{draft}/items/book-123", changed).json()["subtotal"] == 3500


def test_a_draft_is_opened_changed_confirmed_and_cancelled_in_a_wrapper(api):
    draft = api.post("/orders", {"order": {"saga": "choreography"}})["Location"]
    assert api.patch(draft, {"order": {"coupon": "WELCOME10"}}).json()["coupon"] == "WELCOME10"
    api.post(f"{draft}/items", BOOK)
    confirmed = api.post(f"{draft}/confirm", {"order": {"paymentMethod": "e_money"}}).json()
    assert (confirmed["payment_method"], confirmed["saga"], confirmed["status"]) == (
        "e_money",
        "choreography",
        "completed",
    )
    cancelled = api.post(f"{draft}/cancel", {"order": {"reason": "顧客都合"}}).json()
    assert (cancelled["status"], cancelled["cancel_reason"]) == ("cancelled", "顧客都合")


def test_the_price_by_any_name_is_what_the_client_expects(api):
    for name in ("price", "unit_price_cents", "unitPriceCents"):
        refused = api.post("/orders", {"book_id": "book-123", "quantity": 1, name: 3499})
        assert refused.status_code == 409 and refused.json()["code"] == "price_changed"
        assert refused.json()["prices"] == [{"book_id": "book-123", "expected": 3499, "current": 3500}]


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({**BOOK, "product_id": "book-123"}, "book_id", "given twice"),
        ({**BOOK, "unit_price_cents": 3500}, "price", "given twice"),
        ({**BOOK, "title": "One", "product_name": "One"}, "title", "given twice"),
        ({"items": [{**BOOK, "productId": "book-123"}]}, "items.0.book_id", "given twice"),
        ({"order": BOOK, "saga": "choreography"}, "saga", "within order"),
        ({"order": [BOOK]}, "order", "object"),
        ({"order": "order-001", "quantity": 1}, "quantity", "within order"),
        ({"order": {"order": BOOK}}, "order", "no such field"),
        ({"order_item": BOOK}, "order_item", "no such field"),
        ({"items": [{"order_item": BOOK}]}, "items.0.order_item", "no such field"),
        ({"items": [BOOK], "product_id": "book-123"}, "book_id", "either this or items"),
        ({"items": [BOOK], "product_name": "ノートPC"}, "title", "either this or items"),
        ({"product_name": "ノートPC"}, "book_id", "or items"),
        ({**ALIASED, "product_name": 1}, "title", "line of text"),
    ],
)
def test_an_ambiguous_order_is_refused(api, body, field, detail):
    refused = api.post("/orders", body)
    assert refused.status_code == 400 and refused.json()["code"] == "invalid"
    details = {error["field"]: error["detail"] for error in refused.json()["errors"]}
    assert detail in details[field]
    assert not Order.objects.exists()


def test_a_field_without_another_name_has_none(api, desk):
    body = {
        "order_id": str(order_snapshot().order_id),
        "product_name": "ノートPC",
        "book_id": "book-123",
        "quantity": 1,
    }
    (error,) = desk.post("/inventory/reserve", body).json()["errors"]
    assert (error["field"], error["detail"]) == ("product_name", "There is no such field.")


# --- The short form of reservations ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "book"), [("order_id", "book_id"), ("orderId", "bookId"), ("order_id", "product_id")]
)
def test_one_book_is_reserved_and_released_in_short(desk, order, book):
    order_id = str(order_snapshot().order_id)
    body = {order: order_id, book: "book-123", "quantity": 2}
    (held,) = desk.post("/inventory/reserve", body).json()["reservations"]
    assert (held["book_id"], held["quantity"], held["status"]) == ("book-123", 2, "active")
    desk.post("/inventory/reserve", {"order_id": order_id, "items": [{"book_id": "book-456", "quantity": 1}]})
    released = desk.post("/inventory/release", body).json()["reservations"]
    assert {each["book_id"]: each["status"] for each in released} == {"book-123": "released", "book-456": "active"}
    desk.post("/inventory/release", {order: order_id})
    assert holds(order_id) == {"released"}


@pytest.mark.parametrize("command", ["reserve", "release"])
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"book_id": "book-123"}, "quantity"),
        ({"quantity": 1}, "book_id"),
        ({"items": [{"book_id": "book-123", "quantity": 1}], "book_id": "book-123"}, "book_id"),
        ({"book_id": "book-123", "product_id": "book-123", "quantity": 1}, "book_id"),
    ],
)
def test_an_incomplete_or_ambiguous_reservation_is_refused(desk, command, more, field):
    refused = desk.post(f"/inventory/{command}", {"order_id": str(order_snapshot().order_id), **more})
    assert refused.status_code == 400 and field in {error["field"] for error in refused.json()["errors"]}
    assert not Reservation.objects.exists()


def test_a_reservation_without_books_is_refused(desk):
    refused = desk.post("/inventory/reserve", {"order_id": str(order_snapshot().order_id)})
    assert {error["field"] for error in refused.json()["errors"]} == {"book_id", "quantity"}


# --- /saga/start --------------------------------------------------------------------------------------


def test_a_saga_is_started_in_no_other_style(api, settings):
    settings.SAGA_STYLE = "choreography"
    assert api.post("/saga/start", BOOK).json()["saga"] == "orchestration"
    assert api.post("/saga/start", {**BOOK, "saga": "orchestration"}).json()["saga"] == "orchestration"
    refused = api.post("/saga/start", {**BOOK, "saga": "choreography"})
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == ["saga"]
    assert SagaInstance.objects.count() == Payment.objects.count() == 2


def test_a_saga_is_started_only_with_books(api):
    for body in (None, {}, {"order": {}}, {"order": {"customer_id": "customer-001"}}):
        assert api.post("/saga/start", body).status_code == 400
    assert not Order.objects.exists()


# --- The description ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def description():
    return json.loads(document())


def accepts(description, path, body, method="post"):
    """Returns True if the body of this operation may be so, by the API's description."""
    (media,) = description["paths"][path][method]["requestBody"]["content"].values()
    schema = {**media["schema"], "components": description["components"]}
    return jsonschema.Draft202012Validator(schema).is_valid(json.loads(json.dumps(body)))


def snake(body):
    """The forms that the description has: without camelCase."""
    return "productId" not in json.dumps(body)


@pytest.mark.parametrize("path", ["/orders", "/saga/start"])
def test_every_form_of_an_order_is_described(description, path):
    assert all(accepts(description, path, body) for body in filter(snake, ORDERS))
    for ambiguous in (
        {**BOOK, "product_id": "book-123"},
        {**BOOK, "unit_price_cents": 3500},
        {"items": [BOOK], "product_id": "book-123"},
        {"items": [{**BOOK, "product_id": "book-123"}]},
        {"order": BOOK, "saga": "orchestration"},
        {**BOOK, "customer_id": "customer-001", "customer_name": "山田太郎"},
        {**BOOK, "customer_email": "taro@example.com"},
    ):
        assert not accepts(description, path, ambiguous), ambiguous


def test_only_orchestration_is_described_for_a_started_saga(description):
    assert accepts(description, "/orders", {**BOOK, "saga": "choreography"})
    assert not accepts(description, "/saga/start", {**BOOK, "saga": "choreography"})
    assert description["paths"]["/books"]["post"]["requestBody"]["required"] is True
    assert description["paths"]["/saga/start"]["post"]["requestBody"]["required"] is True


def test_the_other_forms_of_drafts_and_reservations_are_described(description):
    item = "/orders/{order_id}/add_item"
    assert accepts(description, item, ALIASED) and accepts(description, item, {"order_item": ALIASED})
    assert not accepts(description, item, {**ALIASED, "book_id": "book-123"})
    assert accepts(description, "/orders/{order_id}/cancel", {"order": {"reason": "顧客都合"}})
    assert accepts(description, "/orders", {"order": {"customer_name": "山田太郎"}})
    order = {"order_id": str(order_snapshot().order_id)}
    assert accepts(description, "/inventory/reserve", {**order, "book_id": "book-123", "quantity": 1})
    assert not accepts(description, "/inventory/reserve", order)
    assert accepts(description, "/inventory/release", order)
    assert not accepts(description, "/inventory/release", {**order, "book_id": "book-123"})


def test_an_added_item_is_kept_under_the_shops_title(api):
    draft = api.post("/orders")["Location"]
    api.post(f"{draft}/add_item", {"order_item": ALIASED})
    assert OrderItem.objects.get().title != "ノートPC"
