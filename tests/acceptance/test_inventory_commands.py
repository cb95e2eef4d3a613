"""Stock commands of operators: repeating one changes nothing."""

import pytest

from cloudmart.kernel.ids import new_id
from inventory.models import InventoryRecord, Reservation, StockEvent
from inventory.stock import MOST_COPIES
from tests.committed import confirm_stock, let_reservations_expire
from tests.conftest import available, order_snapshot, signed_in
from tests.integration.test_races import all_at_once
from tests.ledger import replayed_stock


@pytest.fixture
def ask(operator):
    """Sends a POST to /inventory as an operator."""
    client = signed_in(operator)
    return lambda path, headers=None, **body: client.post(f"/inventory/{path}", body, headers=headers)


@pytest.fixture(autouse=True)
def shelves(shelve):
    shelve("book-123", 10)
    shelve("book-456", 0)
    shelve("book-789", 5)
    yield
    for record in InventoryRecord.objects.all():
        assert replayed_stock(record.pk) == record.stock


@pytest.fixture
def order_id():
    return str(new_id())


def items(*lines):
    return [{"book_id": book_id, "quantity": quantity} for book_id, quantity in lines]


def held(response):
    assert response.status_code == 200, response.json()
    return {hold["book_id"]: (hold["quantity"], hold["status"]) for hold in response.json()["reservations"]}


def test_a_repeated_reservation_changes_nothing(ask, order_id):
    wanted = items(("book-123", 2), ("book-789", 1), ("book-123", 1))
    first, repeat = (ask("reserve", order_id=order_id, items=wanted) for _ in range(2))
    assert held(first) == {"book-123": (3, "active"), "book-789": (1, "active")}
    assert first.json() == repeat.json() and first.json()["order_id"] == order_id
    assert (available("book-123"), available("book-789")) == (7, 4)


def test_another_book_is_reserved_for_the_same_order(ask, order_id):
    ask("reserve", order_id=order_id, items=items(("book-123", 2)))
    more = ask("reserve", order_id=order_id, items=items(("book-123", 2), ("book-789", 1)))
    assert held(more) == {"book-123": (2, "active"), "book-789": (1, "active")}
    assert available("book-123") == 8


def test_all_books_are_reserved_or_none(ask, order_id):
    refused = ask("reserve", order_id=order_id, items=items(("book-123", 1), ("book-456", 1), ("book-789", 6)))
    assert refused.status_code == 409 and refused.json()["code"] == "out_of_stock"
    assert [short["book_id"] for short in refused.json()["shortages"]] == ["book-456", "book-789"]
    assert available("book-123") == 10 and not Reservation.objects.exists()


def test_reserving_another_quantity_is_refused(ask, order_id):
    ask("reserve", order_id=order_id, items=items(("book-123", 2)))
    refused = ask("reserve", order_id=order_id, items=items(("book-123", 3)))
    assert refused.status_code == 409 and refused.json()["code"] == "reservation_differs"
    assert (refused.json()["held"], refused.json()["asked"]) == (2, 3)


def lifetimes(response):
    """Returns for how many seconds each book of the order was reserved."""
    assert response.status_code == 200, response.json()
    reservations = Reservation.objects.filter(order_id=response.json()["order_id"]).order_by("shelf")
    return [(each.expires_at - each.held_since).total_seconds() for each in reservations]


def test_a_reservation_lasts_as_long_as_was_asked(ask, order_id):
    wanted = items(("book-123", 2), ("book-789", 1))
    assert lifetimes(ask("reserve", order_id=order_id, items=wanted[:1], expires_in=60)) == [60]
    for more in ({"expires_in": 70}, {}):
        assert lifetimes(ask("reserve", order_id=order_id, items=wanted[:1], **more)) == [60], (
            "a repeat changes nothing"
        )
    assert lifetimes(ask("reserve", order_id=order_id, items=wanted, expires_in=3600)) == [60, 3600]
    assert lifetimes(ask("reserve", order_id=str(new_id()), items=wanted[:1])) == [900]


@pytest.mark.parametrize("how", ["released", "expired", "past expiry"])
def test_a_late_repeat_does_not_renew_an_ended_reservation(ask, order_id, how):
    wanted = items(("book-123", 2))
    ask("reserve", order_id=order_id, items=wanted)
    if how == "released":
        ask("release", order_id=order_id)
    else:
        let_reservations_expire()
    if how == "expired":
        ask("reserve", order_id=str(new_id()), items=items(("book-123", 10)))
    refused = ask("reserve", order_id=order_id, items=wanted)
    assert refused.status_code == 409 and refused.json()["code"] == "reservation_ended"
    assert refused.json()["reservation_status"] == ("released" if how == "released" else "expired")


def test_reservations_are_released(ask, order_id):
    ask("reserve", order_id=order_id, items=items(("book-123", 2), ("book-789", 1)))
    for _ in range(2):
        response = ask("release", order_id=order_id, items=items(("book-789", 1)), reason="changed her mind")
        assert held(response) == {"book-123": (2, "active"), "book-789": (1, "released")}
    for _ in range(2):
        response = ask("release", order_id=order_id)
        assert held(response) == {"book-123": (2, "released"), "book-789": (1, "released")}
    assert (available("book-123"), available("book-789")) == (10, 5)
    assert StockEvent.objects.filter(reason="changed her mind").count() == 1


def test_releasing_without_reservations_is_no_error(ask, order_id):
    assert held(ask("release", order_id=order_id)) == {}
    assert held(ask("release", order_id=order_id, items=items(("book-123", 1)))) == {}


def test_a_reservation_is_released_whole(ask, order_id):
    ask("reserve", order_id=order_id, items=items(("book-123", 2)))
    refused = ask("release", order_id=order_id, items=items(("book-123", 1)))
    assert refused.status_code == 409 and refused.json()["code"] == "reservation_differs"


def test_sold_books_are_not_released(ask):
    order = order_snapshot(("book-123", 2))
    ask("reserve", order_id=str(order.order_id), items=items(("book-123", 2)))
    confirm_stock(order)
    refused = ask("release", order_id=str(order.order_id))
    assert refused.status_code == 409 and refused.json()["code"] == "reservation_ended"
    assert held(ask("reserve", order_id=str(order.order_id), items=items(("book-123", 2)))) == {
        "book-123": (2, "confirmed")
    }
    assert available("book-123") == 8


def test_added_stock_records_actor_and_reason(ask):
    response = ask("book-456/add_stock", quantity=100, reason="second edition")
    assert response.status_code == 200 and response.json()["total_quantity"] == 100
    event = StockEvent.objects.get(shelf="book-456")
    assert (event.type, event.actor, event.reason) == ("StockAdded", "operator", "second edition")


def test_a_delivery_with_a_reference_counts_once(ask):
    for _ in range(2):
        assert ask("book-456/add_stock", quantity=7, reference="d-1").json()["total_quantity"] == 7
    for total in (8, 9):
        assert ask("book-456/add_stock", quantity=1).json()["total_quantity"] == total
    assert ask("book-789/add_stock", quantity=7, reference="d-1").json()["total_quantity"] == 12
    for path, body in [("add_stock", {"quantity": 8}), ("adjust", {"delta": 7, "reason": "counted"})]:
        refused = ask(f"book-456/{path}", reference="d-1", **body)
        assert refused.status_code == 409 and refused.json()["code"] == "reference_reused"


def test_an_adjustment_counts_once_and_keeps_reserved_copies(ask, order_id):
    ask("reserve", order_id=order_id, items=items(("book-123", 4)))
    for _ in range(2):
        body = ask("book-123/adjust", delta=-6, reason="stolen", reference="count-1").json()
        assert (body["total_quantity"], body["available_quantity"]) == (4, 0)
    refused = ask("book-123/adjust", delta=-1, reason="stolen")
    assert refused.status_code == 409 and refused.json()["code"] == "stock_is_reserved"


def test_stock_is_limited_to_what_the_database_can_store(ask):
    InventoryRecord.objects.filter(pk="book-456").update(on_hand=MOST_COPIES, version=1)
    refused = ask("book-456/add_stock", quantity=1)
    assert refused.status_code == 409 and refused.json()["most"] == MOST_COPIES
    InventoryRecord.objects.filter(pk="book-456").update(on_hand=0, version=0)


def test_sixteen_simultaneous_repeats_count_once(ask, order_id):
    add = all_at_once([lambda: ask("book-456/add_stock", quantity=5, reference="d-1").status_code] * 16)
    hold = all_at_once([lambda: ask("reserve", order_id=order_id, items=items(("book-123", 1))).status_code] * 16)
    assert set(add) == set(hold) == {200}
    assert available("book-456") == 5 and available("book-123") == 9


def test_a_key_makes_a_delivery_without_a_reference_safe_to_repeat(ask):
    key = {"Idempotency-Key": "k"}
    first, repeat = (ask("book-456/add_stock", headers=key, quantity=5) for _ in range(2))
    assert first.json() == repeat.json() and repeat["Idempotent-Replayed"] == "true"
    assert ask("book-456/add_stock", headers=key, quantity=6).status_code == 422
    responses = all_at_once([lambda: ask("book-789/add_stock", headers={"Idempotency-Key": "j"}, quantity=1)] * 16)
    assert {response.status_code for response in responses} == {200} and available("book-789") == 6


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("reserve", {"items": items(("book-123", 1))}, "order_id"),
        ("reserve", {"order_id": 1, "items": items(("book-123", 1))}, "order_id"),
        ("reserve", {"order_id": str(new_id()), "book_id": "book-123"}, "quantity"),
        ("reserve", {"order_id": str(new_id()), "items": []}, "items"),
        ("reserve", {"order_id": str(new_id()), "items": items(("book-123", 0))}, "items.0.quantity"),
        ("reserve", {"order_id": str(new_id()), "items": items(("book-123", 1)), "expires_in": 0}, "expires_in"),
        ("reserve", {"order_id": str(new_id()), "items": items(("book-123", 1)), "expires_in": 3601}, "expires_in"),
        ("reserve", {"order_id": str(new_id()), "items": items(("book-123", 1)), "expires_in": "60"}, "expires_in"),
        ("release", {"order_id": str(new_id()), "colour": "red"}, "colour"),
        ("book-123/add_stock", {"quantity": 0}, "quantity"),
        ("book-123/add_stock", {"quantity": 10**9}, "quantity"),
        ("book-123/add_stock", {"quantity": 1, "reference": "a b"}, "reference"),
        ("book-123/adjust", {"delta": 0, "reason": "none"}, "delta"),
        ("book-123/adjust", {"delta": 1}, "reason"),
    ],
)
def test_a_wrong_field_is_named(ask, path, body, field):
    response = ask(path, **body)
    assert response.status_code == 400 and [each["field"] for each in response.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reserve", {"order_id": str(new_id()), "items": items(("book-0", 1))}),
        ("book-0/add_stock", {"quantity": 1}),
        ("book-0/adjust", {"delta": 1, "reason": "found"}),
    ],
)
def test_an_unknown_book_is_refused(ask, path, body):
    assert ask(path, **body).json()["code"] == "book_not_found"
