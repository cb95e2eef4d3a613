"""The catalogue: operators add books, change their titles and prices, and archive them."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.money import HIGHEST_PRICE
from cloudmart.outbox.models import OutboxEvent
from inventory.models import Book, InventoryRecord, StockEvent
from inventory.projector import catch_up
from tests.committed import expire_reservations, let_reservations_expire
from tests.conftest import available
from tests.integration.test_races import all_at_once

NEW = {"book_id": "book-321", "title": "分散システム入門", "price": 4200}


def codes(client, path="/books", **query):
    """Returns the codes of the listed books."""
    response = client.get(path, query)
    assert response.status_code == 200, response.json()
    return [line["book_id"] for line in response.json()["results"]]


def problem(response):
    return response.status_code, response.json().get("code")


def archive(desk, book_id, archived=True):
    response = desk.patch(f"/books/{book_id}", {"archived": archived})
    assert response.json()["archived"] is archived, response.json()


# --- Adding and changing --------------------------------------------------------------------------


def test_a_new_book_can_be_read_stocked_and_ordered(desk, api):
    created = desk.post("/books", NEW)
    assert created.status_code == 201 and created["Location"] == "/books/book-321"
    shown = {**NEW, "currency": "JPY", "archived": False}
    assert created.json() == {**shown, "low_stock_threshold": None}
    assert api.get("/books/book-321").json() == shown and codes(api) == ["book-321"]
    assert desk.post("/inventory/book-321/add_stock", {"quantity": 2}).json()["total_quantity"] == 2
    order = api.post("/orders", {"book_id": "book-321", "quantity": 1, "payment_method": "credit_card"})
    assert order.status_code == 201 and order.json()["subtotal"] == 4200


def test_a_new_book_without_copies_is_in_the_list_of_stock_at_once(desk, api):
    desk.post("/books", NEW)
    (listed,) = api.get("/inventory").json()["results"]
    assert (listed["book_id"], listed["available_quantity"]) == ("book-321", 0)


def test_a_new_book_has_its_first_copies(desk, api):
    assert desk.post("/books", {**NEW, "quantity": 3}).status_code == 201
    assert available("book-321") == 3
    event = StockEvent.objects.get()
    assert (event.type, event.reason, event.actor) == ("StockAdded", "first stock", "operator")


def test_a_code_belongs_to_one_book(desk):
    assert desk.post("/books", NEW).status_code == 201
    for body in (NEW, {**NEW, "title": "Another book", "quantity": 5}):
        refused = desk.post("/books", body)
        assert problem(refused) == (409, "book_exists") and refused.json()["book_id"] == "book-321"
    assert Book.objects.get().title == NEW["title"] and available("book-321") == 0


def test_a_key_makes_adding_and_changing_safe_to_repeat(desk, api):
    first, repeat = (desk.post("/books", NEW, headers={"Idempotency-Key": "new"}) for _ in range(2))
    assert first.status_code == repeat.status_code == 201 and first.json() == repeat.json()
    assert repeat["Idempotent-Replayed"] == "true"
    change = {"headers": {"Idempotency-Key": "change"}}
    assert desk.patch("/books/book-321", {"price": 1}, **change).json()["price"] == 1
    desk.patch("/books/book-321", {"price": 2})
    assert desk.patch("/books/book-321", {"price": 1}, **change).json()["price"] == 1
    assert Book.objects.get().price == 2


def test_of_simultaneous_creations_one_wins(desk):
    responses = all_at_once([lambda: desk.post("/books", {**NEW, "quantity": 1}).status_code] * 8)
    assert sorted(responses) == [201] + [409] * 7
    assert InventoryRecord.objects.get().on_hand == StockEvent.objects.count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize("book_id", ["reports", "reserve", "..", "a/b", "", "x" * 65, 7])
def test_a_code_fits_into_a_path(desk, book_id):
    response = desk.post("/books", {**NEW, "book_id": book_id})
    assert response.status_code == 400 and [each["field"] for each in response.json()["errors"]] == ["book_id"]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 0),
        ("price", HIGHEST_PRICE + 1),
        ("price", "4200"),
        ("title", ""),
        ("title", "x" * 301),
        ("title", "two\nlines"),
        ("archived", "true"),
        ("archived", 1),
        ("low_stock_threshold", -1),
        ("low_stock_threshold", "3"),
        ("low_stock_threshold", 2_000_000_001),
        ("book_id", "book-2"),
        ("quantity", 1),
    ],
)
def test_a_wrong_change_is_named(desk, shelve, field, value):
    shelve("book-1", 1)
    response = desk.patch("/books/book-1", {field: value})
    assert response.status_code == 400 and [each["field"] for each in response.json()["errors"]] == [field]


def test_an_unknown_book_is_not_found(desk):
    for response in (desk.get("/books/none"), desk.patch("/books/none", {"price": 5})):
        assert problem(response) == (404, "book_not_found")


def test_books_are_filtered_and_ordered(desk, api, shelve):
    for code, price in [("book-a", 3), ("book-b", 1), ("book-c", 2)]:
        shelve(code, 0, price=price)
    desk.patch("/books/book-b", {"title": "A guide to sagas"})
    archive(desk, "book-c")
    assert codes(api) == codes(api, archived="false") == ["book-a", "book-b"]
    assert codes(api, archived="true") == ["book-c"]
    assert codes(api, ordering="price") == ["book-b", "book-a"]
    assert codes(api, title="SAGAS") == ["book-b"]
    assert api.get("/books", {"archived": "maybe"}).status_code == 400


# --- The threshold of low stock -------------------------------------------------------------------


def announced():
    """Returns the subject and the data of each event of low stock."""
    return list(OutboxEvent.objects.filter(type="stock.low").order_by("position").values_list("subject", "payload"))


def test_the_order_that_takes_a_book_to_its_threshold_announces_it(api, desk, style):
    assert desk.post("/books", {**NEW, "quantity": 5, "low_stock_threshold": 3}).json()["low_stock_threshold"] == 3
    order = {"book_id": "book-321", "quantity": 1, "payment_method": "credit_card", "saga": style}
    assert api.post("/orders", order).status_code == 201 and announced() == []
    assert api.post("/orders", order).status_code == 201
    data = {"book_id": "book-321", "available": 3, "on_hand": 4, "reserved": 1, "threshold": 3}
    assert announced() == [("book-321", data)]
    assert api.post("/orders", order).status_code == 201 and len(announced()) == 1


def test_a_threshold_that_the_stock_has_fallen_to_already_is_announced_at_once(desk, shelve):
    shelve("book-1", 5)
    assert desk.patch("/books/book-1", {"low_stock_threshold": 4}).status_code == 200 and announced() == []
    changed = desk.patch("/books/book-1", {"lowStockThreshold": 5, "price": 900})
    assert (changed.json()["low_stock_threshold"], changed.json()["price"]) == (5, 900)
    assert [subject for subject, _ in announced()] == ["book-1"]
    assert desk.patch("/books/book-1", {"low_stock_threshold": 9}).status_code == 200 and len(announced()) == 1
    assert desk.patch("/books/book-1", {"low_stock_threshold": None}).json()["low_stock_threshold"] is None
    assert [message for _, message in history("book-1")] == [
        "low stock threshold: none → 4",
        "price: ¥1,000 → ¥900; low stock threshold: 4 → 5",
        "low stock threshold: 5 → 9",
        "low stock threshold: 9 → none",
    ]


def test_operators_see_the_threshold_and_customers_do_not(api, desk, shelve):
    shelve("book-1", 5)
    desk.patch("/books/book-1", {"low_stock_threshold": 3})
    for path in ("/books/book-1", "/inventory/book-1"):
        assert desk.get(path).json()["low_stock_threshold"] == 3
        assert "low_stock_threshold" not in api.get(path).json()
    assert [book["low_stock_threshold"] for book in desk.get("/books").json()["results"]] == [3]
    assert "low_stock_threshold" not in api.get("/books").json()["results"][0]
    assert desk.get("/books/book-1", HTTP_ACCEPT="application/json; case=camel").json()["lowStockThreshold"] == 3
    assert desk.post("/inventory/book-1/add_stock", {"quantity": 1}).json()["low_stock_threshold"] == 3


# --- The history of a book ------------------------------------------------------------------------


def history(book_id):
    entries = LogEntry.objects.filter(content_type__model="book", object_id=book_id).order_by("pk")
    return [(entry.user.username, entry.get_change_message()) for entry in entries]


def test_changes_over_the_api_and_in_the_admin_are_in_one_history(desk, operator):
    desk.post("/books", NEW)
    desk.patch("/books/book-321", {"price": 3900, "title": NEW["title"]})
    desk.patch("/books/book-321", {"price": 3900})
    admin = Client()
    admin.force_login(operator)
    form = {"title": "Distributed systems", "price": 3500, "archived": "on"}
    assert admin.post("/admin/inventory/book/book-321/change/", form).status_code == 302
    assert history("book-321") == [
        ("operator", "Added over the API."),
        ("operator", "price: ¥4,200 → ¥3,900"),
        ("operator", f"title: {NEW['title']} → Distributed systems; price: ¥3,900 → ¥3,500; archived: False → True"),
    ]
    page = admin.get("/admin/inventory/book/book-321/history/").content.decode()
    assert "price: ¥4,200 → ¥3,900" in page and "price: ¥3,900 → ¥3,500" in page


@pytest.mark.parametrize("where", ["API", "admin"])
def test_a_change_is_recorded_with_the_price_that_it_replaces(desk, operator, shelve, where):
    shelve("book-1", 0, price=100)
    page, title = "/admin/inventory/book/book-1/change/", Book.objects.get().title

    def change(price):
        if where == "API":
            return desk.patch("/books/book-1", {"price": price}).status_code
        admin = Client()
        admin.force_login(operator)
        return admin.post(page, {"title": title, "price": price}).status_code

    responses = all_at_once([lambda price=price: change(price) for price in range(101, 109)])
    assert responses == [200 if where == "API" else 302] * 8
    steps = [message.removeprefix("price: ").replace("¥", "").split(" → ") for _, message in history("book-1")]
    assert [old for old, _ in steps] == ["100", *(new for _, new in steps[:-1])]
    assert steps[-1][1] == str(Book.objects.get().price)


# --- An archived book -----------------------------------------------------------------------------


@pytest.fixture
def line():
    return {"book_id": "book-1", "quantity": 1}


@pytest.fixture
def draft(api, shelve, line):
    """The id of a draft that holds a copy of book-1 and one of book-2."""
    shelve("book-1", 5)
    shelve("book-2", 5)
    order_id = api.post("/orders", {}).json()["order_id"]
    for book_id in ("book-1", "book-2"):
        assert api.post(f"/orders/{order_id}/items", {**line, "book_id": book_id}).status_code == 200
    return order_id


def test_an_archived_book_is_not_sold(api, desk, draft, style, line):
    archive(desk, "book-1")
    order = {**line, "payment_method": "credit_card", "saga": style}
    other = api.post("/orders", {}).json()["order_id"]
    for response in (
        api.post("/orders", order),
        api.post(f"/orders/{other}/items", line),
        api.post(f"/orders/{draft}/items", line),
        api.put(f"/orders/{draft}/items/book-1", {"quantity": 2}),
        api.post(f"/orders/{draft}/confirm", {"payment_method": "credit_card"}),
        desk.post("/inventory/reserve", {"order_id": str(new_id()), "items": [line]}),
    ):
        assert problem(response) == (409, "book_archived") and response.json()["book_ids"] == ["book-1"]
    assert available("book-1") == 4
    archive(desk, "book-1", archived=False)
    assert api.post("/orders", order).status_code == 201


def test_a_draft_lets_an_archived_book_go(api, desk, draft):
    archive(desk, "book-1")
    assert {item["book_id"] for item in api.get(f"/orders/{draft}").json()["items"]} == {"book-1", "book-2"}
    assert api.post(f"/orders/{draft}/extend").status_code == 200
    assert api.delete(f"/orders/{draft}/items/book-1").status_code == 200
    assert available("book-1") == 5
    confirmed = api.post(f"/orders/{draft}/confirm", {"payment_method": "credit_card"})
    assert [item["book_id"] for item in confirmed.json()["items"]] == ["book-2"]


def test_an_archived_book_stays_in_orders_and_can_be_returned_and_restocked(api, desk, draft, style):
    body = {"payment_method": "credit_card", "saga": style}
    assert api.post(f"/orders/{draft}/confirm", body).json()["status"] == "completed"
    archive(desk, "book-1")
    assert [item["book_id"] for item in api.get(f"/orders/{draft}").json()["items"]] == ["book-1", "book-2"]
    assert api.post(f"/orders/{draft}/cancel").status_code == 200
    assert available("book-1") == 5, "returned"
    assert desk.post("/inventory/book-1/add_stock", {"quantity": 2}).json()["total_quantity"] == 7
    types = [event["type"] for event in api.get("/inventory/book-1/events").json()["results"]]
    assert types[:2] == ["StockAdded", "StockReturned"]


def test_an_order_that_is_placed_completes_although_its_book_is_archived(api, desk, shelve, style, line):
    shelve("book-1", 5)
    body = {**line, "payment_method": "credit_card", "saga": style}
    order_id = api.post("/orders", body, headers={"Prefer": "respond-async"}).json()["order_id"]
    archive(desk, "book-1")
    desk.post(f"/saga/{order_id}/retry")
    assert api.get(f"/orders/{order_id}").json()["status"] == "completed"


def test_a_repeated_reservation_of_an_archived_book_stands(desk, shelve, line):
    shelve("book-1", 5)
    body = {"order_id": str(new_id()), "items": [line]}
    first = desk.post("/inventory/reserve", body)
    archive(desk, "book-1")
    assert desk.post("/inventory/reserve", body).json() == first.json()
    let_reservations_expire()
    expire_reservations(10)
    assert available("book-1") == 5


def test_lists_of_the_stock_leave_out_archived_books(api, desk, shelve):
    shelve("book-1", 5)
    shelve("book-2", 0)
    archive(desk, "book-1")
    catch_up()
    assert codes(api, "/inventory") == ["book-2"]
    assert codes(api, "/inventory", in_stock="true") == []
    assert codes(api, "/inventory", archived="true", in_stock="true") == ["book-1"]
    shown = api.get("/inventory/book-1").json()
    assert (shown["archived"], shown["available_quantity"]) == (True, 5)
