"""A new draft with the books of an earlier order, and the notes that operators write about an order."""

import pytest
from django.utils import timezone

from inventory.models import Book
from orders.models import Order, OrderNote
from orders.price_rules import Discount
from tests.acceptance.conftest import BERLIN
from tests.conftest import available, signed_in
from tests.factories import CustomerFactory

ITEMS = [{"book_id": book_id, "quantity": 2} for book_id in ("book-123", "book-456", "book-789")]


@pytest.fixture
def placed(api, shelve):
    """The id of a completed order of three books with a coupon, to an address abroad."""
    for item in ITEMS:
        shelve(item["book_id"], 4)
    options = {"payment_method": "e_money", "coupon": "WELCOME10", "shipping_address": BERLIN, "saga": "choreography"}
    return api.post("/orders", {"items": ITEMS, **options}).json()["order_id"]


def test_a_draft_like_an_order_has_its_books_and_options_at_todays_prices(api, placed):
    Book.objects.filter(pk="book-123").update(price=1500)
    response = api.post(f"/orders/{placed}/order-again")
    draft = response.json()
    assert response.status_code == 201 and response["Location"] == f"/orders/{draft['order_id']}"
    assert [(item["book_id"], item["quantity"], item["unit_price"]) for item in draft["items"]] == [
        ("book-123", 2, 1500),
        ("book-456", 2, 1000),
        ("book-789", 2, 1000),
    ]
    assert all(item["held_until"] for item in draft["items"]) and available("book-123") == 0
    kept = ("customer_id", "coupon", "payment_method", "saga", "shipping_address")
    before = api.get(f"/orders/{placed}").json()
    assert {name: draft[name] for name in kept} == {name: before[name] for name in kept}
    assert (draft["status"], draft["left_out"]) == ("draft", [])
    assert api.post(f"/orders/{draft['order_id']}/confirm").status_code == 200


def test_what_cannot_be_had_now_is_left_out_and_named(api, placed, operator):
    Book.objects.filter(pk="book-123").update(archived=True)
    assert api.post("/orders", {**ITEMS[1], "payment_method": "e_money"}).status_code == 201
    Discount.objects.filter(code="WELCOME10").update(valid_from=None, valid_until=timezone.now())
    draft = signed_in(operator).post(f"/orders/{placed}/order-again").json()
    assert [item["book_id"] for item in draft["items"]] == ["book-789"] and draft["coupon"] == ""
    assert {(each["name"], each["code"]) for each in draft["left_out"]} == {
        ("WELCOME10", "coupon_not_valid"),
        ("book-123", "book_archived"),
        ("book-456", "out_of_stock"),
    }
    assert draft["customer_id"] == "customer-001"


@pytest.mark.any_database
def test_without_any_book_there_is_no_draft(api, placed):
    Book.objects.update(archived=True)
    refused = api.post(f"/orders/{placed}/order-again")
    assert (refused.status_code, refused.json()["code"]) == (409, "book_archived")
    assert Order.objects.count() == 1


@pytest.mark.any_database
def test_a_draft_that_was_cancelled_without_books_is_not_ordered_again(api, client, operator):
    draft = api.post("/orders", {}).json()["order_id"]
    assert api.post(f"/orders/{draft}/cancel").status_code == 200
    refused = api.post(f"/orders/{draft}/order-again")
    assert (refused.status_code, refused.json()["code"]) == (409, "order_is_empty")
    client.force_login(operator)
    page = client.post(f"/admin/order/{draft}/order_again/", follow=True)
    assert page.status_code == 200 and "The order has no books." in page.content.decode()
    assert Order.objects.count() == 1


@pytest.mark.any_database
def test_a_draft_is_not_ordered_again_and_neither_is_the_order_of_another_customer(api, placed):
    draft = api.post("/orders", {}).json()["order_id"]
    assert api.post(f"/orders/{draft}/order-again").json()["code"] == "order_is_draft"
    other = signed_in(CustomerFactory().user)
    assert other.post(f"/orders/{placed}/order-again").status_code == 404


def test_a_repeated_request_with_a_key_opens_one_draft(api, placed):
    key = {"HTTP_IDEMPOTENCY_KEY": "again-1"}
    first, second = (api.post(f"/orders/{placed}/order-again", **key).json() for _ in range(2))
    assert first["order_id"] == second["order_id"] and Order.objects.filter(status="draft").count() == 1


@pytest.mark.any_database
def test_only_operators_read_the_notes_about_an_order(api, placed, operator):
    desk, path = signed_in(operator), f"/orders/{placed}/notes"
    for text in ("Called: leave it with the neighbour.", "Sent a replacement."):
        assert desk.post(path, {"text": text}).status_code == 201
    notes = desk.get(path).json()["results"]
    assert [(note["author"], note["text"]) for note in notes] == [
        ("operator", "Called: leave it with the neighbour."),
        ("operator", "Sent a replacement."),
    ]
    assert api.get(path).status_code == 403 and api.post(path, {"text": "Mine"}).status_code == 403
    for shown in (f"/orders/{placed}", f"/orders/{placed}/events", f"/saga/{placed}/status"):
        assert "neighbour" not in api.get(shown).content.decode()


@pytest.mark.any_database
def test_a_note_has_a_text_of_at_most_a_thousand_characters(placed, operator):
    desk = signed_in(operator)
    for text in ("", "x" * 1001, "two\nlines"):
        assert desk.post(f"/orders/{placed}/notes", {"text": text}).json()["errors"][0]["field"] == "text"
    assert not OrderNote.objects.exists()
