"""The stories of the shop, each in both styles: what is left of stock, money and parcels, and what the saga tells."""

import pytest

from inventory.models import Reservation
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.desk import placing as placement
from sagas.models import Event, SagaInstance
from sagas.operations.audit.audit import audit
from tests.acceptance.conftest import decline_of, end_of, events_in, holds, steps_of
from tests.committed import reserve_stock
from tests.conftest import available, order_snapshot, signed_in
from tests.known_bugs import known_bug

HAPPY = ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "PAYMENT_COMPLETED", "SHIPPING_ARRANGED", "COMPLETED"]
FORWARD = ["create_order", "reserve_stock", "process_payment", "arrange_shipping", "complete_order"]
HAPPY_FACTS = [
    "OrderCreated",
    "StockReserved",
    "PaymentCompleted",
    "ShippingArranged",
    "StockConfirmed",
    "OrderCompleted",
]


def test_an_order_completes(api, place, shelve, style, status_of):
    shelve("book-123", 5, price=3500)
    answer = place(("book-123", 1))
    assert answer.status_code == 201
    order = answer.json()
    assert order["status"] == "completed" and order["saga_status"] == "COMPLETED"
    assert (order["subtotal"], order["discount"], order["tax"], order["total"]) == (3500, 0, 350, 3850)
    assert end_of(order["order_id"]) == ("completed", 3850, 1, [("book-123", 4, 0)])
    told = status_of(order["order_id"])
    assert told["style"] == style and told["history"] == HAPPY
    assert answer["Location"] == f"/orders/{order['order_id']}"
    assert api.get(answer["Location"]).json() == {k: v for k, v in order.items() if k != "saga_status"}
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(told, "do", "done") == FORWARD and steps_of(told, "undo", "done") == []
        assert told["events"] == []
    else:
        assert events_in(told) == HAPPY_FACTS and told["steps"] == []
        assert all(event["delivered_at"] for event in told["events"])


def test_several_books_in_one_order(place, shelve):
    shelve("book-123", 5, price=3500)
    shelve("book-789", 20, price=2800)
    answer = place(("book-123", 1), ("book-789", 10), ("book-123", 1), coupon="WELCOME10")
    assert answer.status_code == 201
    order = answer.json()
    assert [(item["book_id"], item["quantity"]) for item in order["items"]] == [("book-123", 2), ("book-789", 10)]
    assert order["subtotal"] == 35000
    assert order["discount"] == 3500 + 1400
    assert order["tax"] == 3010
    assert end_of(order["order_id"]) == ("completed", 33110, 1, [("book-123", 3, 0), ("book-789", 10, 0)])


def test_a_book_that_is_out_of_stock_is_refused_at_the_desk(place, shelve):
    shelve("book-456", 0)
    shelve("book-789", 3)
    answer = place(("book-456", 1), ("book-789", 4))
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "out_of_stock"
    assert answer.json()["shortages"] == [
        {"book_id": "book-456", "requested": 1, "available": 0},
        {"book_id": "book-789", "requested": 4, "available": 3},
    ]
    assert not Order.objects.exists() and not SagaInstance.objects.exists() and not Event.objects.exists()


@known_bug("medusa#16502")
@pytest.mark.parametrize("is_seen_at_the_desk", [True, False])
def test_two_lines_of_one_book_are_held_together(place, shelve, monkeypatch, is_seen_at_the_desk):
    """Each of them alone could be."""
    shelve("book-123", 3)
    if not is_seen_at_the_desk:
        monkeypatch.setattr(placement.inventory, "check_availability", lambda books, wanted: None)
    answer = place(("book-123", 2), ("book-123", 2))
    assert answer.status_code == 409
    assert answer.json()["shortages"] == [{"book_id": "book-123", "requested": 4, "available": 3}]
    assert Order.objects.exists() != is_seen_at_the_desk
    assert available("book-123") == 3


def test_the_last_copy_is_sold_between_the_look_and_the_hold(place, shelve, style, status_of, monkeypatch):
    shelve("book-123", 1)
    check = placement.inventory.check_availability

    def check_and_lose_the_race(books, wanted):
        check(books, wanted)
        reserve_stock(order_snapshot(("book-123", 1)))

    monkeypatch.setattr(placement.inventory, "check_availability", check_and_lose_the_race)
    answer = place(("book-123", 1))
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "out_of_stock" and problem["saga_status"] == "FAILED"
    assert problem["shortages"] == [{"book_id": "book-123", "requested": 1, "available": 0}]
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 1, 1)])
    told = status_of(problem["order_id"])
    assert told["history"] == ["STARTED", "ORDER_CREATED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(told, "do", "failed") == ["reserve_stock"]
        assert steps_of(told, "undo", "done") == ["create_order"]
    else:
        assert events_in(told) == [
            "OrderCreated",
            "StockUnavailable",
            "ShippingCancelled",
            "PaymentCancelled",
            "OrderCancelled",
        ]


def test_who_falls_short_even_of_what_has_lapsed_leaves_the_shelf_alone(place, shelve, monkeypatch):
    shelve("book-123", 5)
    reserve_stock(order_snapshot(("book-123", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    check = placement.inventory.check_availability

    def check_and_lose_the_race(books, wanted):
        check(books, wanted)
        reserve_stock(order_snapshot(("book-123", 1)))

    monkeypatch.setattr(placement.inventory, "check_availability", check_and_lose_the_race)
    answer = place(("book-123", 5))
    assert answer.status_code == 409
    assert answer.json()["shortages"] == [{"book_id": "book-123", "requested": 5, "available": 4}]
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["active", "active"]
    assert end_of(answer.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, 3)])
    assert not [finding for finding in audit(limit=1) if not finding.holds]


def test_what_failed_before_its_payment_is_neither_paid_nor_sent_by_an_operator(place, shelve, operator, monkeypatch):
    shelve("book-123", 0)
    monkeypatch.setattr(placement.inventory, "check_availability", lambda books, wanted: None)
    order_id = place(("book-123", 1)).json()["order_id"]
    clerk = signed_in(operator)
    charge = {"order_id": order_id, "amount": 1100, "payment_method": "credit_card"}
    parcel = {"order_id": order_id, "shipping_address": "150-0001"}
    for path, body in [("/payments/process", charge), ("/shipping/arrange", parcel)]:
        refused = clerk.post(path, body)
        assert refused.status_code == 409 and refused.json()["code"] == "order_cancelled"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 0, 0)])


@pytest.mark.parametrize("token", ["tok_insufficient_funds", "tok_expired_card"])
def test_a_declined_payment_puts_the_books_back(place, shelve, style, status_of, token):
    shelve("book-123", 3)
    answer = place(("book-123", 2), payment_token=token)
    assert answer.status_code == 402
    problem = answer.json()
    assert problem.items() >= decline_of(token).items()
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert holds(problem["order_id"]) == {"released"}
    assert available("book-123") == 3
    told = status_of(problem["order_id"])
    assert told["history"] == ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "COMPENSATION_STARTED", "FAILED"]
    assert told["failure"]["code"] == "payment_declined"
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(told, "do", "failed") == ["process_payment"]
        assert steps_of(told, "undo", "done", "skipped") == ["process_payment", "reserve_stock", "create_order"]
    else:
        assert events_in(told) == [
            "OrderCreated",
            "StockReserved",
            "PaymentFailed",
            "StockReleased",
            "OrderCancelled",
        ]


@known_bug("medusa#12481")
def test_what_one_card_could_not_pay_another_can(place, shelve):
    shelve("book-123", 3)
    declined = place(("book-123", 3), payment_token="tok_insufficient_funds")
    assert declined.status_code == 402
    paid = place(("book-123", 3), payment_token="tok_ok")
    assert paid.status_code == 201
    assert end_of(declined.json()["order_id"])[:3] == ("cancelled", 0, 0)
    assert end_of(paid.json()["order_id"]) == ("completed", 3300, 1, [("book-123", 0, 0)])


@known_bug("medusa PR#11832")
@pytest.mark.parametrize("postal_code", ["999-9999", "000-0000"])
def test_a_carrier_that_fails_gives_money_and_books_back(place, shelve, style, status_of, postal_code):
    shelve("book-123", 3)
    answer = place(("book-123", 1), shipping_address=f"〒{postal_code} どこか")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "shipping_failed"
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    told = status_of(problem["order_id"])
    assert told["history"] == [*HAPPY[:4], "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        tries = 3 if postal_code == "999-9999" else 1
        assert steps_of(told, "do", "failed") == ["arrange_shipping"] * tries
        assert steps_of(told, "undo", "done") == ["process_payment", "reserve_stock", "create_order"]
    else:
        assert events_in(told)[3:] == ["ShippingFailed", "StockReleased", "PaymentRefunded", "OrderCancelled"]


@known_bug("eventuate-tram-sagas#80")
@pytest.mark.parametrize(
    "trouble",
    [
        {"payment_token": "tok_unavailable_2"},
        {"payment_token": "tok_timeout_2"},
        {"payment_token": "tok_slow_5"},
        {"shipping_address": {"postal_code": "998-0002", "address": "どこか"}},
    ],
)
def test_a_provider_that_fails_twice_and_then_works(place, shelve, status_of, trouble):
    shelve("book-123", 3)
    answer = place(("book-123", 1), **trouble)
    assert answer.status_code == 201
    order_id = answer.json()["order_id"]
    assert end_of(order_id) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert status_of(order_id)["history"] == HAPPY


def test_a_provider_that_never_answers_for_sure_is_looked_up(place, shelve):
    shelve("book-123", 3)
    answer = place(("book-123", 1), payment_token="tok_timeout_9")
    assert answer.status_code == 201
    assert end_of(answer.json()["order_id"]) == ("completed", 1100, 1, [("book-123", 2, 0)])


def test_a_provider_that_stays_away_takes_no_money(place, shelve):
    shelve("book-123", 3)
    answer = place(("book-123", 1), payment_token="tok_unavailable_3")
    assert answer.status_code == 402
    assert answer.json()["code"] == "payment_unavailable"
    assert end_of(answer.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_what_an_operator_holds_besides_for_an_order_stays_held(api, bought_with_extra, style):
    order_id = bought_with_extra
    assert end_of(order_id)[3] == [("book-123", 4, 0), ("book-789", 3, 2)]
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert end_of(order_id)[3] == [("book-123", 5, 0), ("book-789", 3, 2)]


@pytest.fixture
def bought_with_extra(place, shelve, monkeypatch):
    """An order of one book, for which an operator has reserved another book while it ran."""
    shelve("book-123", 5)
    shelve("book-789", 3)
    charge = MockGateway.charge

    def reserve_then_charge(self, key, **asked):
        order_id = Order.objects.get().pk
        reserve_stock(order_snapshot(("book-789", 2), order_id=order_id))
        return charge(self, key, **asked)

    monkeypatch.setattr(MockGateway, "charge", reserve_then_charge)
    return place(("book-123", 1)).json()["order_id"]


def test_an_order_whose_books_were_held_otherwise_before_fails(place, shelve, style, monkeypatch):
    """Somebody has used this order's id for holds of their own."""
    shelve("book-123", 5)
    check = placement.inventory.check_availability
    order_id = order_snapshot().order_id
    monkeypatch.setattr(placement, "new_id", lambda: order_id)

    def check_then_lose(*args):
        check(*args)
        reserve_stock(order_snapshot(("book-123", 3), order_id=order_id))

    monkeypatch.setattr(placement.inventory, "check_availability", check_then_lose)
    answer = place(("book-123", 1))
    assert answer.status_code == 409 and answer.json()["code"] == "reservation_differs"
    assert answer.json()["saga_status"] == "FAILED"
    assert end_of(str(order_id)) == ("cancelled", 0, 0, [("book-123", 5, 3)])


@known_bug("medusa PR#11832")
@pytest.mark.parametrize("taken", [False, True])
def test_an_order_whose_hold_runs_out_on_the_way_is_undone(place, shelve, monkeypatch, taken):
    """Whether or not somebody else has the copies by then."""
    shelve("book-123", 5)
    charge = MockGateway.charge

    def take_too_long(self, key, **asked):
        Reservation.objects.update(expires_at="2020-01-01T00:00Z")
        if taken:
            reserve_stock(order_snapshot(("book-123", 5)))
        return charge(self, key, **asked)

    monkeypatch.setattr(MockGateway, "charge", take_too_long)
    answer = place(("book-123", 2))
    assert answer.status_code == 409 and answer.json()["code"] == "reservation_expired"
    assert answer.json()["saga_status"] == "FAILED"
    held = 5 if taken else 0
    assert end_of(answer.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, held)])
    assert not audit_offenders()


def audit_offenders():
    return [finding for finding in audit(limit=5) if not finding.holds]
