"""Drafts: books are added, reserved and removed; the draft is confirmed in either style, cancelled or deleted."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from cloudmart.database.clock import DatabaseNow, database_now
from inventory.models import InventoryRecord, Reservation, StockEvent
from orders.models import Customer, Order, OrderItem
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.desk import drafts as process
from sagas.models import SagaInstance
from tests.acceptance.conftest import BERLIN, end_of, events_in, holds, money_kept, parcels_on_their_way, steps_of
from tests.bookkeeping import findings
from tests.committed import expire_reservations, let_reservations_expire, reserve_stock
from tests.conftest import available, order_snapshot, signed_in
from tests.factories import BookFactory, CustomerFactory
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug


@pytest.fixture(autouse=True)
def audited(transactional_db):
    """Checks every invariant after each test."""
    yield
    assert findings() == {}


@pytest.fixture
def draft(api, style, shelve):
    """The path of an empty draft; there are 100 copies of one book and 5 of another."""
    shelve("book-123", 100, price=1000)
    shelve("book-456", 5, price=500)
    response = api.post("/orders", {"saga": style, "payment_method": "credit_card"})
    assert response.status_code == 201 and response["Location"] == f"/orders/{response.json()['order_id']}"
    return response["Location"]


def add(api, draft, book_id="book-123", quantity=2, **more):
    return api.post(f"{draft}/items", {"book_id": book_id, "quantity": quantity, **more})


def items(order):
    return [(item["book_id"], item["quantity"], item["unit_price"]) for item in order["items"]]


def id_of(draft):
    return draft.rpartition("/")[2]


# --- From opening to completion ---------------------------------------------------------------------


def test_a_draft_from_opening_to_completion(api, desk, style, shelve):
    shelve("book-123", 0)
    shown = []

    def look():
        body = desk.get("/inventory/book-123").json()
        shown.append((body["total_quantity"], body["reserved_quantity"], body["available_quantity"]))
        return body

    assert desk.post("/inventory/book-123/add_stock", {"quantity": 100}).status_code == 200
    assert look()["total_quantity"] == 100
    first = api.post("/orders", {"saga": style})["Location"]
    held = add(api, first).json()["items"][0]
    (hold,) = look()["reservations"]
    assert (hold["order_id"], hold["quantity"], hold["expires_at"]) == (id_of(first), 2, held["held_until"])
    confirmed = api.post(f"{first}/confirm", {"payment_method": "e_money"})
    assert confirmed.status_code == 200 and confirmed.json()["status"] == "completed"
    assert look()["reservations"] == []
    second = api.post("/orders", {"saga": style})["Location"]
    add(api, second, quantity=3)
    look()
    assert api.post(f"{second}/cancel").json()["status"] == "cancelled"
    look()
    assert shown == [(100, 0, 100), (100, 2, 98), (98, 0, 98), (98, 3, 95), (98, 0, 98)]

    events = desk.get("/inventory/book-123/events", {"ordering": "version"}).json()["results"]
    assert [(event["type"], event["order_id"]) for event in events] == [
        ("StockAdded", None),
        ("StockReserved", id_of(first)),
        ("ReservationConfirmed", id_of(first)),
        ("StockReserved", id_of(second)),
        ("ReservationCancelled", id_of(second)),
    ]
    assert {event["actor"] for event in events} == {"operator", "customer-001"}
    for event, numbers in zip(events, shown, strict=True):
        then = desk.get("/inventory/book-123", {"as_of": event["happened_at"]}).json()
        assert (then["total_quantity"], then["reserved_quantity"], then["available_quantity"]) == numbers


def test_a_confirmed_draft_ends_like_an_order_placed_directly(api, place, draft, style, status_of):
    add(api, draft)
    add(api, draft, "book-456", 1)
    drafted = api.post(f"{draft}/confirm", {"coupon": "WELCOME10"}).json()
    placed = place(("book-123", 2), ("book-456", 1), coupon="WELCOME10").json()
    own = {"order_id", "created_at"}
    assert {k: v for k, v in drafted.items() if k not in own} == {k: v for k, v in placed.items() if k not in own}
    assert end_of(id_of(draft)) == ("completed", 2475, 1, [("book-123", 96, 0), ("book-456", 3, 0)])
    body, other = status_of(id_of(draft)), status_of(placed["order_id"])
    assert body["style"] == style and body["history"] == other["history"]
    assert steps_of(body, "do", "done") == steps_of(other, "do", "done")
    assert events_in(body) == ["ItemAdded", "ItemAdded", "OrderConfirmed", *events_in(other)]
    read = api.get(draft).json()
    assert read.pop("parcel")["status"] == "arranged"
    assert read == {k: v for k, v in drafted.items() if k != "saga_status"}


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"payment_token": "tok_insufficient_funds"}, 402, "payment_declined"),
        ({"shipping_address": "999-9999 Nowhere"}, 409, "shipping_failed"),
    ],
)
def test_a_confirmed_draft_that_fails_leaves_nothing_behind(api, draft, more, status, code):
    add(api, draft)
    for _ in range(2):
        response = api.post(f"{draft}/confirm", more)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.json()["order_id"] == id_of(draft)
    assert end_of(id_of(draft)) == ("cancelled", 0, 0, [("book-123", 100, 0), ("book-456", 5, 0)])


def test_a_completed_draft_is_cancelled_like_any_order(api, draft):
    add(api, draft)
    api.post(f"{draft}/confirm")
    assert api.post(f"{draft}/cancel").status_code == 200
    assert end_of(id_of(draft)) == ("cancelled", 0, 0, [("book-123", 100, 0), ("book-456", 5, 0)])


# --- Items ------------------------------------------------------------------------------------------


def test_the_totals_of_a_draft_follow_its_items(api, draft):
    assert api.get(draft).json()["total"] == 0
    add(api, draft, quantity=1)
    add(api, draft, quantity=2)
    assert api.post(f"{draft}/add_item", {"book_id": "book-456", "quantity": 1}).status_code == 200
    order = api.get(draft).json()
    assert items(order) == [("book-123", 3, 1000), ("book-456", 1, 500)]
    assert (order["subtotal"], order["discount"], order["tax"], order["total"]) == (3500, 0, 350, 3850)
    assert (available("book-123"), available("book-456")) == (97, 4)
    order = api.patch(draft, {"coupon": "WELCOME10", "region": "DE", "shipping_address": BERLIN}).json()
    assert (order["discount"], order["tax"], order["total"]) == (350, 221, 3371)
    assert order["shipping_address"] == BERLIN and order["region"] == "DE"
    assert api.patch(draft, {"coupon": None}).json()["coupon"] == ""
    order = api.delete(f"{draft}/items/book-123").json()
    assert items(order) == [("book-456", 1, 500)] and order["subtotal"] == 500
    assert (available("book-123"), available("book-456")) == (100, 4)
    assert order["status"] == "draft" and "saga_status" not in order


def test_a_quantity_is_raised_and_lowered(api, draft):
    add(api, draft, "book-456", 1)
    since = Reservation.objects.get().expires_at
    for quantity in (5, 2, 2, 1):
        for _ in range(2):
            order = api.put(f"{draft}/items/book-456", {"quantity": quantity}).json()
            assert items(order) == [("book-456", quantity, 500)]
            assert available("book-456") == 5 - quantity
    assert Reservation.objects.get().expires_at == since, "changing the quantity does not extend the reservation"
    deltas = StockEvent.objects.filter(shelf="book-456", order_id=id_of(draft)).order_by("version")
    assert list(deltas.values_list("reserved_delta", flat=True)) == [1, 4, -3, -1]
    refused = api.put(f"{draft}/items/book-456", {"quantity": 6})
    assert refused.json()["shortages"] == [{"book_id": "book-456", "requested": 6, "available": 5}]
    assert items(api.get(draft).json()) == [("book-456", 1, 500)]


def test_a_removed_book_can_be_added_again(api, draft):
    add(api, draft)
    for _ in range(2):
        assert items(api.delete(f"{draft}/items/book-123").json()) == []
    add(api, draft, quantity=4)
    assert holds(id_of(draft)) == {"active"} and available("book-123") == 96
    assert api.post(f"{draft}/confirm").status_code == 200


def test_a_book_out_of_stock_is_not_added(api, draft):
    refused = add(api, draft, "book-456", 6)
    assert refused.status_code == 409 and refused.json()["code"] == "out_of_stock"
    assert refused.json()["shortages"] == [{"book_id": "book-456", "requested": 6, "available": 5}]
    assert api.get(draft).json()["items"] == [] and not Reservation.objects.exists()


def test_a_reservation_is_rolled_back_when_its_line_cannot_be_added(api, draft, monkeypatch):
    def fail(*args):
        raise ConnectionError("the desk has burnt down")

    with monkeypatch.context() as broken:
        broken.setattr(process.drafts, "set_line", fail)
        assert add(api, draft).status_code == 500
    assert available("book-123") == 100 and api.get(draft).json()["items"] == []
    assert add(api, draft).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("post", "/items", {"book_id": "book-x", "quantity": 1}, 404, "book_not_found"),
        ("post", "/items", {"book_id": "book-123", "quantity": 1, "price": 999}, 409, "price_changed"),
        ("post", "/items", {"book_id": "book-123", "quantity": 0}, 400, "invalid"),
        ("post", "/items", {"book_id": "book-123"}, 400, "invalid"),
        ("put", "/items/book-456", {"quantity": 1}, 404, "item_not_found"),
        ("patch", "", {"status": "completed"}, 400, "invalid"),
        ("patch", "", {"total": 1}, 400, "invalid"),
        ("patch", "", {"coupon": "NOPE"}, 404, "unknown_coupon"),
        ("post", "/confirm", {"coupon": "NOPE"}, 404, "unknown_coupon"),
        ("post", "/confirm", {"items": []}, 400, "invalid"),
        ("post", "/extend", {"by": 1}, 400, "invalid"),
    ],
)
def test_a_refused_change_leaves_the_draft_as_it_was(api, draft, method, path, body, status, code):
    add(api, draft)
    before = api.get(draft).json()
    response = getattr(api, method)(f"{draft}{path}", body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert api.get(draft).json() == before and available("book-123") == 98


def test_the_size_of_a_draft_is_limited(api, draft, settings):
    settings.MAX_LINES_PER_ORDER, settings.MAX_QUANTITY_PER_LINE = 1, 3
    add(api, draft)
    for refused in (add(api, draft), add(api, draft, "book-456", 1)):
        assert refused.status_code == 409 and refused.json()["code"] == "order_too_large"
        assert (refused.json()["most_lines"], refused.json()["most_copies"]) == (1, 3)
    assert (available("book-123"), available("book-456")) == (98, 5)
    assert add(api, draft, quantity=1).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"), [({"payment_method": "cash"}, "payment_method"), ({"colour": "red"}, "colour")]
)
def test_an_invalid_draft_is_refused(api, body, field):
    response = api.post("/orders", body)
    assert response.status_code == 400 and {error["field"] for error in response.json()["errors"]} == {field}
    assert not Order.objects.exists()


def test_a_payment_token_without_books_opens_no_draft(api):
    response = api.post("/orders", {"payment_method": "credit_card", "payment_token": "tok_ok"})
    assert {error["field"] for error in response.json()["errors"]} == {"book_id", "quantity"}
    assert api.post("/saga/start", {"payment_method": "credit_card"}).status_code == 400
    assert not Order.objects.exists()


def test_an_operator_opens_a_draft_for_a_customer(desk, api):
    opened = desk.post("/orders", {"customer_id": "customer-001"})
    assert opened.status_code == 201 and opened.json()["customer_id"] == "customer-001"
    assert api.get(opened["Location"]).status_code == 200
    other = signed_in(CustomerFactory(id="customer-002").user)
    assert other.post("/orders", {"customer_id": "customer-001"}).status_code == 404


# --- Confirming -------------------------------------------------------------------------------------


def test_an_incomplete_draft_is_not_confirmed(api, draft):
    assert api.post(f"{draft}/confirm").json()["code"] == "order_is_empty"
    nameless = api.post("/orders", {})["Location"]
    add(api, nameless)
    Order.objects.update(postal_code="")
    assert api.post(f"{nameless}/confirm").json()["code"] == "no_shipping_address"
    assert api.get(nameless).json()["status"] == "draft" and not SagaInstance.objects.exists()
    assert api.post(f"{nameless}/confirm", {"shipping_address": "150-0001"}).status_code == 200


def test_a_draft_is_paid_as_its_confirmation_says_else_as_it_says_itself_else_as_the_customer_pays(api, draft):
    Customer.objects.update(payment_method="e_money")

    def confirmed(of_the_draft, of_the_confirmation):
        path = api.post("/orders", of_the_draft)["Location"]
        add(api, path, quantity=1)
        return api.post(f"{path}/confirm", of_the_confirmation).json()["payment_method"]

    card, money = {"payment_method": "credit_card"}, {"payment_method": "e_money"}
    assert [confirmed({}, {}), confirmed(card, {}), confirmed(card, money)] == ["e_money", "credit_card", "e_money"]
    assert [payment.payment_method for payment in Payment.objects.order_by("pk")] == [
        "e_money",
        "credit_card",
        "e_money",
    ]


def test_an_order_that_was_placed_directly_is_not_confirmed(api, place, draft):
    path = place(("book-123", 1))["Location"]
    refused = api.post(f"{path}/confirm", {"payment_method": "e_money"})
    assert refused.status_code == 409 and refused.json()["code"] == "order_not_draft"


def test_a_changed_price_is_refused_on_confirmation(api, draft):
    add(api, draft)
    BookFactory._meta.model.objects.filter(pk="book-123").update(price=1200)
    refused = api.post(f"{draft}/confirm")
    assert refused.status_code == 409
    assert refused.json()["prices"] == [{"book_id": "book-123", "expected": 1000, "current": 1200}]
    assert items(api.put(f"{draft}/items/book-123", {"quantity": 2, "price": 1200}).json()) == [("book-123", 2, 1200)]
    assert api.post(f"{draft}/confirm").json()["subtotal"] == 2400


def test_a_draft_confirmed_twice_is_placed_once(api, draft):
    add(api, draft)
    responses = [api.post(f"{draft}/confirm") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json() == responses[1].json()
    assert (money_kept(id_of(draft)), parcels_on_their_way(id_of(draft))) == (2200, 1)


@known_bug("medusa#13301", "medusa PR#15527")
@pytest.mark.parametrize("keyed", [False, True])
def test_eight_simultaneous_confirmations_place_one_order(api, draft, keyed):
    add(api, draft)

    def confirm():
        return (
            signed_in_again(api)
            .post(f"{draft}/confirm", headers={"Idempotency-Key": "k"} if keyed else {})
            .status_code
        )

    assert set(all_at_once([confirm] * 8)) <= {200, 202, *([409] if keyed else [])}
    assert end_of(id_of(draft)) == ("completed", 2200, 1, [("book-123", 98, 0), ("book-456", 5, 0)])
    assert SagaInstance.objects.count() == 1
    again = api.post(f"{draft}/confirm", headers={"Idempotency-Key": "k"})
    assert again.status_code == 200 and again.json()["status"] == "completed"
    assert ("Idempotent-Replayed" in again) == keyed


def signed_in_again(api):
    """Another client with the same token."""
    client = type(api)()
    client.credentials(**api._credentials)
    return client


@known_bug("medusa#14758")
@pytest.mark.parametrize("keyed", [False, True])
def test_an_interrupted_confirmation_can_be_repeated(api, draft, keyed, monkeypatch):
    def confirm():
        return api.post(f"{draft}/confirm", headers={"Idempotency-Key": "k"} if keyed else {})

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    add(api, draft)
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(MockGateway, "charge", die)
        confirm()
    assert confirm().status_code == (409 if keyed else 202)
    SagaInstance.objects.update(lease_until=DatabaseNow())
    call_command("run_worker", once=True)
    assert confirm().status_code == 200
    assert end_of(id_of(draft)) == ("completed", 2200, 1, [("book-123", 98, 0), ("book-456", 5, 0)])


def test_simultaneous_confirmation_cancellation_and_change_are_consistent(api, style, shelve):
    shelve("book-123", 100)
    for _ in range(5):
        draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"})["Location"]
        add(api, draft)
        jobs = [
            lambda draft=draft: signed_in_again(api).post(f"{draft}/confirm"),
            lambda draft=draft: signed_in_again(api).post(f"{draft}/cancel"),
            lambda draft=draft: add(signed_in_again(api), draft, quantity=1),
            lambda draft=draft: signed_in_again(api).delete(draft),
        ]
        responses = [response.status_code for response in all_at_once(jobs)]
        assert set(responses) <= {200, 202, 204, 404, 409}, responses
        order = Order.objects.filter(pk=id_of(draft)).first()
        if order is None:
            assert not SagaInstance.objects.filter(order_id=id_of(draft)).exists()
        elif order.status == "completed":
            sold = sum(item.quantity for item in OrderItem.objects.filter(order=order))
            assert money_kept(id_of(draft)) == order.total == sold * 1100
        else:
            assert (order.status, money_kept(id_of(draft)), parcels_on_their_way(id_of(draft))) == ("cancelled", 0, 0)
    sold = sum(item.quantity for item in OrderItem.objects.filter(order__status="completed"))
    record = InventoryRecord.objects.get()
    assert (record.on_hand, record.reserved) == (100 - sold, 0)


def test_a_draft_that_changes_during_confirmation_is_not_placed(api, draft, monkeypatch):
    add(api, draft)
    check = process.check_prices

    def change_then_check(*args):
        monkeypatch.undo()
        assert add(api, draft, quantity=1).status_code == 200
        check(*args)

    monkeypatch.setattr(process, "check_prices", change_then_check)
    refused = api.post(f"{draft}/confirm")
    assert refused.status_code == 409 and refused.json()["code"] == "order_changed"
    assert api.get(draft).json()["status"] == "draft" and available("book-123") == 97
    assert api.post(f"{draft}/confirm").json()["total"] == 3300


def test_a_key_makes_adding_and_confirming_safe_to_repeat(api, draft):
    key = {"Idempotency-Key": "add"}
    body = {"book_id": "book-123", "quantity": 2}
    responses = [api.post(f"{draft}/items", body, headers=key) for _ in range(2)]
    assert responses[1]["Idempotent-Replayed"] == "true" and responses[0].json() == responses[1].json()
    assert available("book-123") == 98
    confirmed = [api.post(f"{draft}/confirm", headers={"Idempotency-Key": "confirm"}) for _ in range(2)]
    assert confirmed[1]["Idempotent-Replayed"] == "true" and confirmed[0].json() == confirmed[1].json()
    assert [response.status_code for response in confirmed] == [200, 200]


def test_a_key_keeps_a_refused_confirmation(api, draft):
    add(api, draft, "book-456", 5)
    let_reservations_expire()
    reserve_stock(order_snapshot(("book-456", 1)))
    responses = [api.post(f"{draft}/confirm", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [response.json()["code"] for response in responses] == ["out_of_stock"] * 2
    assert responses[1]["Idempotent-Replayed"] == "true"


def test_a_key_makes_opening_and_deleting_a_draft_safe_to_repeat(api):
    opened = [api.post("/orders", {}, headers={"Idempotency-Key": "open"}) for _ in range(2)]
    assert opened[0].json() == opened[1].json() and Order.objects.count() == 1
    path = opened[0]["Location"]
    deleted = [api.delete(path, headers={"Idempotency-Key": "delete"}) for _ in range(2)]
    assert [response.status_code for response in deleted] == [204, 204]
    assert api.delete(path).status_code == 404


# --- Cancelling and deleting ------------------------------------------------------------------------


def test_a_cancelled_draft_is_kept(api, draft, status_of):
    add(api, draft)
    for _ in range(2):
        response = api.put(f"{draft}/cancel", {"reason": "changed her mind"})
        assert response.status_code == 200 and response.json()["saga_status"] is None
        assert (response.json()["status"], response.json()["cancel_reason"]) == ("cancelled", "changed her mind")
    assert available("book-123") == 100 and holds(id_of(draft)) == {"released"}
    assert StockEvent.objects.filter(order_id=id_of(draft)).last().reason == "changed her mind"
    assert status_of(id_of(draft))["code"] == "saga_not_found"


def test_a_deleted_draft_releases_its_books(api, draft):
    add(api, draft)
    assert api.delete(draft).status_code == 204
    assert api.get(draft).status_code == 404 and available("book-123") == 100
    assert not OrderItem.objects.exists()


@pytest.mark.parametrize("how", ["confirm", "cancel"])
def test_a_placed_or_cancelled_draft_is_not_changed(api, draft, how):
    add(api, draft)
    api.post(f"{draft}/{how}")
    before = api.get(draft).json()
    attempts = [
        add(api, draft),
        api.put(f"{draft}/items/book-123", {"quantity": 1}),
        api.delete(f"{draft}/items/book-123"),
        api.patch(draft, {"coupon": "WELCOME10"}),
        api.post(f"{draft}/extend"),
        api.delete(draft),
        *([api.post(f"{draft}/confirm")] if how == "cancel" else []),
    ]
    for refused in attempts:
        assert refused.status_code == 409 and refused.json()["code"] == "order_not_draft"
        assert refused.json()["order_status"] == before["status"]
    assert api.get(draft).json() == before


# --- Expiry -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("swept", [False, True])
def test_confirming_a_draft_renews_its_expired_reservations(api, draft, swept):
    add(api, draft)
    add(api, draft, "book-456", 5)
    let_reservations_expire(shelf="book-456")
    if swept:
        expire_reservations(10)
    order = api.get(draft).json()
    assert order["expired_books"] == ["book-456"]
    assert [item["held_until"] is None for item in order["items"]] == [False, True]
    (listed,) = api.get("/orders").json()["results"]
    assert listed["expired_books"] == ["book-456"]
    assert api.post(f"{draft}/confirm").status_code == 200
    assert end_of(id_of(draft)) == ("completed", 4950, 1, [("book-123", 98, 0), ("book-456", 0, 0)])
    types = StockEvent.objects.filter(shelf="book-456", order_id=id_of(draft)).order_by("version")
    assert list(types.values_list("type", flat=True)) == [
        "StockReserved",
        "ReservationExpired",
        "StockReserved",
        "ReservationConfirmed",
    ]


def test_an_expired_reservation_that_is_out_of_stock_keeps_the_draft(api, draft):
    add(api, draft)
    add(api, draft, "book-456", 5)
    let_reservations_expire()
    reserve_stock(order_snapshot(("book-456", 3)))
    refused = api.post(f"{draft}/confirm")
    assert refused.status_code == 409 and refused.json()["code"] == "out_of_stock"
    assert refused.json()["shortages"] == [{"book_id": "book-456", "requested": 5, "available": 2}]
    assert api.get(draft).json()["status"] == "draft" and not SagaInstance.objects.exists()
    api.put(f"{draft}/items/book-456", {"quantity": 2})
    assert api.post(f"{draft}/confirm").status_code == 200
    assert end_of(id_of(draft))[3] == [("book-123", 98, 0), ("book-456", 3, 3)]


def test_confirming_renews_the_reservations_for_their_whole_lifetime(api, draft, settings, monkeypatch):
    add(api, draft)
    Reservation.objects.update(expires_at=DatabaseNow() + timedelta(seconds=1))
    set_reserved_quantities = process.set_reserved_quantities

    def look(*args):
        set_reserved_quantities(*args)
        assert Reservation.objects.get().expires_at > database_now() + settings.RESERVATION_TTL / 2

    monkeypatch.setattr(process, "set_reserved_quantities", look)
    assert api.post(f"{draft}/confirm").status_code == 200


def test_a_live_draft_is_extended_up_to_a_cap(api, draft, settings):
    add(api, draft)
    soon = database_now() + timedelta(seconds=5)
    Reservation.objects.update(expires_at=soon)
    response = api.post(f"{draft}/extend")
    assert response.status_code == 200
    assert Reservation.objects.get().expires_at > soon + settings.RESERVATION_TTL / 2
    began = database_now() - settings.RESERVATION_CAP + timedelta(seconds=60)
    Reservation.objects.update(held_since=began, expires_at=soon)
    api.post(f"{draft}/extend")
    assert Reservation.objects.get().expires_at == began + settings.RESERVATION_CAP
    api.post(f"{draft}/extend")
    assert Reservation.objects.get().expires_at == began + settings.RESERVATION_CAP
    let_reservations_expire()
    refused = api.post(f"{draft}/extend")
    assert refused.status_code == 409 and refused.json()["code"] == "reservation_expired"
    assert refused.json()["book_ids"] == ["book-123"]


def test_a_client_cannot_set_other_columns_of_an_order(api, draft):
    for name in ("status", "total", "customer", "created_at", "was_draft", "payment_token"):
        assert api.patch(draft, {name: "x"}).status_code == 400


BEFOREHAND = {
    "/payments/process": {"amount": 1, "payment_method": "credit_card"},
    "/payments/cancel": {},
    "/payments/refund": {},
    "/shipping/arrange": {"shipping_address": "150-0001"},
    "/shipping/cancel": {},
}


@pytest.mark.parametrize("path", BEFOREHAND)
def test_direct_commands_are_refused_before_the_draft_is_confirmed(api, desk, draft, path):
    add(api, draft)
    refused = desk.post(path, {"order_id": id_of(draft), **BEFOREHAND[path]})
    assert refused.status_code == 409 and refused.json()["code"] == "order_is_draft"
    assert api.post(f"{draft}/confirm").status_code == 200
    assert end_of(id_of(draft))[:3] == ("completed", 2200, 1)


@pytest.mark.parametrize("path", ["/payments/process", "/shipping/arrange"])
def test_a_cancelled_draft_is_not_paid_or_shipped(api, desk, draft, path):
    add(api, draft)
    assert api.post(f"{draft}/cancel").status_code == 200
    refused = desk.post(path, {"order_id": id_of(draft), **BEFOREHAND[path]})
    assert refused.status_code == 409 and refused.json()["code"] == "order_cancelled"
    assert end_of(id_of(draft))[:3] == ("cancelled", 0, 0)
