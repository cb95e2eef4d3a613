"""The main scenarios in both styles: stock, money and parcels afterwards, and the status of the saga."""

import pytest

from inventory.models import Book, Reservation
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.desk import placing
from sagas.models import Event, SagaInstance
from shipping.models import Shipment
from tests.acceptance.conftest import decline_of, end_of, events_in, holds, steps_of
from tests.bookkeeping import findings
from tests.committed import reserve_stock
from tests.conftest import available, order_snapshot, signed_in
from tests.known_bugs import known_bug

HAPPY = ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "PAYMENT_COMPLETED", "SHIPPING_ARRANGED", "COMPLETED"]
FORWARD = ["create_order", "reserve_stock", "process_payment", "arrange_shipping", "complete_order"]
HAPPY_EVENTS = [
    "OrderCreated",
    "StockReserved",
    "PaymentCompleted",
    "ShippingArranged",
    "StockConfirmed",
    "OrderCompleted",
]


def test_an_order_completes(api, place, shelve, style, status_of):
    shelve("book-123", 5, price=3500)
    response = place(("book-123", 1))
    assert response.status_code == 201
    order = response.json()
    assert order["status"] == "completed" and order["saga_status"] == "COMPLETED"
    assert (order["subtotal"], order["discount"], order["tax"], order["total"]) == (3500, 0, 350, 3850)
    assert end_of(order["order_id"]) == ("completed", 3850, 1, [("book-123", 4, 0)])
    saga = status_of(order["order_id"])
    assert saga["style"] == style and saga["history"] == HAPPY
    assert response["Location"] == f"/orders/{order['order_id']}"
    read = api.get(response["Location"]).json()
    assert read.pop("parcel")["status"] == "arranged"
    assert read == {k: v for k, v in order.items() if k != "saga_status"}
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "do", "done") == FORWARD and steps_of(saga, "undo", "done") == []
        assert saga["events"] == []
    else:
        assert events_in(saga) == HAPPY_EVENTS and saga["steps"] == []
        assert all(event["delivered_at"] for event in saga["events"])


def test_several_books_in_one_order(place, shelve):
    shelve("book-123", 5, price=3500)
    shelve("book-789", 20, price=2800)
    response = place(("book-123", 1), ("book-789", 10), ("book-123", 1), coupon="WELCOME10")
    assert response.status_code == 201
    order = response.json()
    assert [(item["book_id"], item["quantity"]) for item in order["items"]] == [("book-123", 2), ("book-789", 10)]
    assert order["subtotal"] == 35000
    assert order["discount"] == 3500 + 1400
    assert order["tax"] == 3010
    assert end_of(order["order_id"]) == ("completed", 33110, 1, [("book-123", 3, 0), ("book-789", 10, 0)])


def test_an_order_for_a_book_that_is_out_of_stock_stores_nothing(place, shelve):
    shelve("book-456", 0)
    shelve("book-789", 3)
    response = place(("book-456", 1), ("book-789", 4))
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "out_of_stock"
    assert response.json()["shortages"] == [
        {"book_id": "book-456", "requested": 1, "available": 0},
        {"book_id": "book-789", "requested": 4, "available": 3},
    ]
    assert not Order.objects.exists() and not SagaInstance.objects.exists() and not Event.objects.exists()


@known_bug("medusa#16502")
@pytest.mark.parametrize("is_checked_before", [True, False])
def test_two_lines_of_one_book_are_reserved_together(place, shelve, monkeypatch, is_checked_before):
    """Each line alone is available, both together are not."""
    shelve("book-123", 3)
    if not is_checked_before:
        monkeypatch.setattr(placing.inventory, "check_availability", lambda books, wanted: None)
    response = place(("book-123", 2), ("book-123", 2))
    assert response.status_code == 409
    assert response.json()["shortages"] == [{"book_id": "book-123", "requested": 4, "available": 3}]
    assert Order.objects.exists() != is_checked_before
    assert available("book-123") == 3


def test_an_order_fails_if_the_last_copy_is_sold_before_it_is_reserved(place, shelve, style, status_of, monkeypatch):
    shelve("book-123", 1)
    check = placing.inventory.check_availability

    def check_then_reserve(books, wanted):
        check(books, wanted)
        reserve_stock(order_snapshot(("book-123", 1)))

    monkeypatch.setattr(placing.inventory, "check_availability", check_then_reserve)
    response = place(("book-123", 1))
    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "out_of_stock" and problem["saga_status"] == "FAILED"
    assert problem["shortages"] == [{"book_id": "book-123", "requested": 1, "available": 0}]
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 1, 1)])
    saga = status_of(problem["order_id"])
    assert saga["history"] == ["STARTED", "ORDER_CREATED", "COMPENSATION_STARTED", "FAILED"]
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "do", "failed") == ["reserve_stock"]
        assert steps_of(saga, "undo", "done") == ["create_order"]
    else:
        assert events_in(saga) == [
            "OrderCreated",
            "StockUnavailable",
            "ShippingCancelled",
            "PaymentCancelled",
            "OrderCancelled",
        ]


def test_a_failed_reservation_does_not_release_the_expired_ones(place, shelve, monkeypatch):
    shelve("book-123", 5)
    reserve_stock(order_snapshot(("book-123", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    check = placing.inventory.check_availability

    def check_then_reserve(books, wanted):
        check(books, wanted)
        reserve_stock(order_snapshot(("book-123", 1)))

    monkeypatch.setattr(placing.inventory, "check_availability", check_then_reserve)
    response = place(("book-123", 5))
    assert response.status_code == 409
    assert response.json()["shortages"] == [{"book_id": "book-123", "requested": 5, "available": 4}]
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["active", "active"]
    assert end_of(response.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, 3)])
    assert findings() == {}


def test_an_operator_can_neither_charge_nor_ship_a_cancelled_order(place, shelve, operator, monkeypatch):
    shelve("book-123", 0)
    monkeypatch.setattr(placing.inventory, "check_availability", lambda books, wanted: None)
    order_id = place(("book-123", 1)).json()["order_id"]
    clerk = signed_in(operator)
    charge = {"order_id": order_id, "amount": 1100, "payment_method": "credit_card"}
    parcel = {"order_id": order_id, "shipping_address": "150-0001"}
    for path, body in [("/payments/process", charge), ("/shipping/arrange", parcel)]:
        refused = clerk.post(path, body)
        assert refused.status_code == 409 and refused.json()["code"] == "order_cancelled"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 0, 0)])


@pytest.mark.parametrize("token", ["tok_insufficient_funds", "tok_expired_card"])
def test_a_declined_payment_releases_the_stock(api, place, shelve, style, status_of, token):
    shelve("book-123", 3)
    response = place(("book-123", 2), payment_token=token)
    assert response.status_code == 402
    problem = response.json()
    assert problem.items() >= decline_of(token).items()
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert holds(problem["order_id"]) == {"released"}
    assert available("book-123") == 3
    saga = status_of(problem["order_id"])
    assert saga["history"] == ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "COMPENSATION_STARTED", "FAILED"]
    assert saga["failure"]["code"] == "payment_declined"
    failure = api.get(f"/payments/{problem['order_id']}").json()["failure"]
    assert failure == {**saga["failure"], "detail": "The payment was declined."}
    if style == SagaStyle.ORCHESTRATION:
        assert steps_of(saga, "do", "failed") == ["process_payment"]
        assert steps_of(saga, "undo", "done", "skipped") == ["process_payment", "reserve_stock", "create_order"]
    else:
        assert events_in(saga) == [
            "OrderCreated",
            "StockReserved",
            "PaymentFailed",
            "StockReleased",
            "ShippingCancelled",
            "OrderCancelled",
        ]
        assert Shipment.objects.get().status == "cancelled"


@known_bug("medusa#12481")
def test_another_card_can_pay_for_the_released_stock(place, shelve):
    shelve("book-123", 3)
    declined = place(("book-123", 3), payment_token="tok_insufficient_funds")
    assert declined.status_code == 402
    paid = place(("book-123", 3), payment_token="tok_ok")
    assert paid.status_code == 201
    assert end_of(declined.json()["order_id"])[:3] == ("cancelled", 0, 0)
    assert end_of(paid.json()["order_id"]) == ("completed", 3300, 1, [("book-123", 0, 0)])


@known_bug("medusa PR#11832")
@pytest.mark.parametrize("postal_code", ["999-9999", "000-0000"])
def test_a_failed_shipment_refunds_the_payment_and_releases_the_stock(
    api, place, shelve, style, status_of, postal_code
):
    shelve("book-123", 3)
    response = place(("book-123", 1), shipping_address=f"〒{postal_code} どこか")
    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "shipping_failed"
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    saga = status_of(problem["order_id"])
    assert saga["history"] == [*HAPPY[:4], "COMPENSATION_STARTED", "FAILED"]
    parcel, payment = (api.get(f"/{app}/{problem['order_id']}").json() for app in ("shipping", "payments"))
    assert parcel["failure"]["code"] == "shipping_failed" and payment["failure"] is None
    if style == SagaStyle.ORCHESTRATION:
        attempts = 3 if postal_code == "999-9999" else 1
        assert steps_of(saga, "do", "failed") == ["arrange_shipping"] * attempts
        assert steps_of(saga, "undo", "done") == ["process_payment", "reserve_stock", "create_order"]
    else:
        attempts = ["AttemptFailed"] * (3 if postal_code == "999-9999" else 0)
        undone = ["StockReleased", "PaymentRefunded", "OrderCancelled"]
        assert events_in(saga)[3:] == [*attempts, "ShippingFailed", *undone]


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
def test_an_order_completes_if_a_provider_fails_twice(place, shelve, status_of, trouble):
    shelve("book-123", 3)
    response = place(("book-123", 1), **trouble)
    assert response.status_code == 201
    order_id = response.json()["order_id"]
    assert end_of(order_id) == ("completed", 1100, 1, [("book-123", 2, 0)])
    assert status_of(order_id)["history"] == HAPPY


def test_a_charge_with_an_unknown_outcome_is_looked_up(place, shelve):
    shelve("book-123", 3)
    response = place(("book-123", 1), payment_token="tok_timeout_9")
    assert response.status_code == 201
    assert end_of(response.json()["order_id"]) == ("completed", 1100, 1, [("book-123", 2, 0)])


def test_an_unavailable_payment_provider_fails_the_order(place, shelve):
    shelve("book-123", 3)
    response = place(("book-123", 1), payment_token="tok_unavailable_3")
    assert response.status_code == 402
    assert response.json()["code"] == "payment_unavailable"
    assert end_of(response.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_cancelling_an_order_keeps_the_other_reservations_of_an_operator(api, order_with_other_reservation, style):
    order_id = order_with_other_reservation
    assert end_of(order_id)[3] == [("book-123", 4, 0), ("book-789", 3, 2)]
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert end_of(order_id)[3] == [("book-123", 5, 0), ("book-789", 3, 2)]


@pytest.fixture
def order_with_other_reservation(place, shelve, monkeypatch):
    """The id of a completed order, for which an operator reserved another book meanwhile."""
    shelve("book-123", 5)
    shelve("book-789", 3)
    charge = MockGateway.charge

    def reserve_then_charge(self, key, **fields):
        order_id = Order.objects.get().pk
        reserve_stock(order_snapshot(("book-789", 2), order_id=order_id))
        return charge(self, key, **fields)

    monkeypatch.setattr(MockGateway, "charge", reserve_then_charge)
    return place(("book-123", 1)).json()["order_id"]


def test_an_order_whose_id_has_a_different_reservation_fails(place, shelve, style, monkeypatch):
    shelve("book-123", 5)
    check = placing.inventory.check_availability
    order_id = order_snapshot().order_id
    monkeypatch.setattr(placing, "new_id", lambda: order_id)

    def check_then_reserve(*args):
        check(*args)
        reserve_stock(order_snapshot(("book-123", 3), order_id=order_id))

    monkeypatch.setattr(placing.inventory, "check_availability", check_then_reserve)
    response = place(("book-123", 1))
    assert response.status_code == 409 and response.json()["code"] == "reservation_differs"
    assert response.json()["saga_status"] == "FAILED"
    assert end_of(str(order_id)) == ("cancelled", 0, 0, [("book-123", 5, 3)])


@known_bug("medusa PR#11832")
@pytest.mark.parametrize("is_reserved_by_another", [False, True])
def test_an_order_whose_reservation_expires_during_the_charge_is_undone(
    place, shelve, monkeypatch, is_reserved_by_another
):
    shelve("book-123", 5)
    charge = MockGateway.charge

    def charge_after_expiry(self, key, **fields):
        Reservation.objects.update(expires_at="2020-01-01T00:00Z")
        if is_reserved_by_another:
            reserve_stock(order_snapshot(("book-123", 5)))
        return charge(self, key, **fields)

    monkeypatch.setattr(MockGateway, "charge", charge_after_expiry)
    response = place(("book-123", 2))
    assert response.status_code == 409 and response.json()["code"] == "reservation_expired"
    assert response.json()["saga_status"] == "FAILED"
    reserved = 5 if is_reserved_by_another else 0
    assert end_of(response.json()["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, reserved)])
    assert findings() == {}


ORDER_DATA = {
    "version": 3,
    "customer_id": "customer-001",
    "book_id": "book-123",
    "quantity": 2,
    "lines": [{"book_id": "book-123", "title": "Clouds", "unit_price": 3500, "quantity": 2}],
    "subtotal": 7000,
    "discount": 700,
    "tax": 630,
    "total_amount": 6930,
    "currency": "JPY",
}


@pytest.fixture
def place_choreographed(api, shelve, status_of):
    """Places a choreographed order of two copies, and returns the status of its saga."""
    shelve("book-123", 3, price=3500)
    Book.objects.update(title="Clouds")

    def place_choreographed(**more):
        body = {"saga": SagaStyle.CHOREOGRAPHY, "payment_method": "credit_card", "coupon": "WELCOME10", **more}
        return status_of(api.post("/orders", {"book_id": "book-123", "quantity": 2, **body}).json()["order_id"])

    return place_choreographed


def specific_members(saga, event_type):
    """Returns the members of this event's payload that not every event of its order has, but no times."""
    (event,) = (event for event in saga["events"] if event["event_type"] == event_type)
    left_out = {*ORDER_DATA, "order_id", "started_at"}
    return {name: value for name, value in event["payload"].items() if name not in left_out}


def assert_every_event_has_the_data_of_its_order(saga):
    expected = {**ORDER_DATA, "order_id": saga["order_id"]}
    for event in saga["events"]:
        assert {name: event["payload"].get(name) for name in expected} == expected, event["event_type"]


def test_every_event_of_a_completed_order_has_the_data_of_the_order(place_choreographed):
    saga = place_choreographed()
    assert events_in(saga) == HAPPY_EVENTS
    assert_every_event_has_the_data_of_its_order(saga)
    payment, parcel = Payment.objects.get(), Shipment.objects.get()
    assert {event_type: specific_members(saga, event_type) for event_type in HAPPY_EVENTS} == {
        **{event_type: {} for event_type in HAPPY_EVENTS},
        "PaymentCompleted": {"amount": 6930, "transaction_id": payment.transaction_id, "attempts": 1},
        "ShippingArranged": {"carrier": "mock", "tracking_number": parcel.tracking_number, "attempts": 1},
    }


def test_every_event_of_a_failed_order_has_the_data_of_the_order(place_choreographed):
    saga = place_choreographed(shipping_address="999-9999")
    assert saga["status"] == "FAILED"
    assert_every_event_has_the_data_of_its_order(saga)
    reason = saga["failure"]["detail"]
    assert specific_members(saga, "ShippingFailed") == {**saga["failure"], "carrier": "mock", "attempts": 3}
    assert specific_members(saga, "PaymentRefunded") == {"amount": 6930, "attempts": 1}
    assert specific_members(saga, "StockReleased") == {"reason": reason}
    assert specific_members(saga, "OrderCancelled") == {"code": "shipping_failed", "reason": reason}


def causes_of(saga):
    """Returns the type of each event's cause, None for an event that no other has caused."""
    events = Event.objects.filter(aggregate_id=saga["order_id"])
    types = {str(pk): event_type for pk, event_type in events.values_list("pk", "event_type")}
    return {event["event_type"]: types.get(event["causation_id"]) for event in saga["events"]}


def test_a_cancelled_parcel_causes_the_refund(api, place_choreographed, status_of):
    order_id = place_choreographed()["order_id"]
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    causes = causes_of(status_of(order_id))
    assert causes["PaymentRefunded"] == "ShippingCancelled"
    assert causes["OrderCancelRequested"] is None


def test_a_refused_parcel_causes_the_refund(place_choreographed):
    assert causes_of(place_choreographed(shipping_address="000-0000"))["PaymentRefunded"] == "ShippingFailed"
