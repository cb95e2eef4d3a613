"""What has happened to an order, over HTTP: the same in both styles, whatever happens."""

from datetime import datetime
from uuid import UUID

import pytest
from django.utils import timezone

from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory import selectors as inventory
from orders.models import SagaStyle
from payments.direct import PartialRefund, refund
from payments.gateways.mock import MockGateway
from sagas.desk import timeline as desk_timeline
from sagas.desk.disclosure import NO_RESPONSE
from sagas.models import SagaInstance
from sagas.operations.commands import return_order
from sagas.operations.parcels import mark_as_delivered, mark_as_shipped
from shipping import direct as shipping
from shipping.carriers.mock import MockCarrier
from tests.committed import let_reservations_expire, run_worker_after_leases_expire
from tests.conftest import signed_in
from tests.factories import CustomerFactory

FAILURES = {
    "StockUnavailable",
    "PaymentFailed",
    "ShippingFailed",
    "OrderCancelRequested",
    "OrderReturnRequested",
    "OrderTimedOut",
}
HAPPY = [
    "OrderCreated",
    "StockReserved",
    "PaymentCompleted",
    "ShippingArranged",
    "StockConfirmed",
    "OrderCompleted",
]


@pytest.fixture(autouse=True)
def plain_texts(settings, fresh_providers):
    """The texts of the providers do not depend on the idempotency key."""
    settings.PROVIDER_TEXTS = "plain"


@pytest.fixture
def order(api, shelve):
    """Places an order in a style, and returns its id."""
    shelve("book-123", 50)
    shelve("book-456", 50, price=500)

    def order(style, **more):
        body = {"book_id": "book-123", "quantity": 2, "payment_method": "credit_card", "saga": style, **more}
        return api.post("/orders", {name: value for name, value in body.items() if value is not None}).json()[
            "order_id"
        ]

    return order


@pytest.fixture
def timeline(api):
    def timeline(order_id, client=None):
        response = (client or api).get(f"/orders/{order_id}/events", {"page_size": 100})
        assert response.status_code == 200 and response.json()["next"] is None
        return response.json()["results"]

    return timeline


def types(entries):
    return [entry["event_type"] for entry in entries]


def no_response(*args, **kwargs):
    raise OutcomeUnknown("no response")


# --- Stories: each takes `order`, the client and the style, and returns the id of its order -------------------


def several_books(order, api, style, monkeypatch):
    items = [{"book_id": "book-123", "quantity": 1}, {"book_id": "book-456", "quantity": 3}]
    return order(style, book_id=None, quantity=None, items=items)


def sold_out_since_the_check(order, api, style, monkeypatch):
    monkeypatch.setattr(inventory, "check_availability", lambda books, wanted: None)
    return order(style, quantity=51)


def expired_before_the_sale(order, api, style, monkeypatch):
    arrange = MockCarrier.arrange

    def too_late(*args, **kwargs):
        let_reservations_expire()
        return arrange(*args, **kwargs)

    monkeypatch.setattr(MockCarrier, "arrange", too_late)
    return order(style)


def cancelled(order, api, style, monkeypatch):
    order_id = order(style)
    assert api.post(f"/orders/{order_id}/cancel", {"reason": "Ordered twice"}).status_code == 200
    return order_id


def undone_directly_before_it_is_cancelled(order, api, style, monkeypatch):
    """The compensation finds nothing left to refund, and no parcel to cancel."""
    order_id = order(style)
    refund(PartialRefund(UUID(order_id)))
    shipping.cancel(UUID(order_id))
    assert api.post(f"/orders/{order_id}/cancel", {"reason": "Torn"}).status_code == 200
    return order_id


def delivered(order, api, style, monkeypatch):
    order_id = order(style)
    mark_as_shipped(order_id)
    mark_as_delivered(order_id)
    return order_id


def returned(order, api, style, monkeypatch):
    order_id = delivered(order, api, style, monkeypatch)
    return_order(order_id, "Sent back", "operator")
    return order_id


def waiting_for_the_gateway(order, api, style, monkeypatch):
    monkeypatch.setattr(MockGateway, "charge", no_response)
    monkeypatch.setattr(MockGateway, "lookup", lambda *args: Unknown("unknown"))
    return order(style)


def completed_after_a_wait(order, api, style, monkeypatch):
    with monkeypatch.context() as down:
        order_id = waiting_for_the_gateway(order, api, style, down)
    run_worker_after_leases_expire()
    return order_id


def cancelled_during_a_wait(order, api, style, monkeypatch):
    with monkeypatch.context() as down:
        order_id = waiting_for_the_gateway(order, api, style, down)
    assert api.post(f"/orders/{order_id}/cancel", {"reason": "Too slow"}).status_code == 202
    run_worker_after_leases_expire()
    return order_id


def past_its_deadline(order, api, style, monkeypatch):
    with monkeypatch.context() as down:
        order_id = waiting_for_the_gateway(order, api, style, down)
    SagaInstance.objects.update(deadline_at=timezone.now())
    run_worker_after_leases_expire()
    return order_id


def refund_that_fails_once(order, api, style, monkeypatch):
    refund, failures = MockGateway.refund, [OutcomeUnknown("no response")]

    def fail_once(*args, **kwargs):
        if failures:
            raise failures.pop()
        return refund(*args, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", fail_once)
    return order(style, shipping_address="000-0000")


def draft(order, api, style, monkeypatch):
    path = api.post("/orders", {"saga": style, "payment_method": "credit_card"})["Location"]
    api.post(f"{path}/items", {"book_id": "book-123", "quantity": 2})
    api.post(f"{path}/items", {"book_id": "book-456", "quantity": 1})
    api.put(f"{path}/items/book-123", {"quantity": 1})
    api.delete(f"{path}/items/book-456")
    return path.rpartition("/")[2]


def confirmed_draft(order, api, style, monkeypatch):
    order_id = draft(order, api, style, monkeypatch)
    assert api.post(f"/orders/{order_id}/confirm").status_code == 200
    return order_id


def confirmed_draft_that_fails(order, api, style, monkeypatch):
    order_id = draft(order, api, style, monkeypatch)
    assert api.post(f"/orders/{order_id}/confirm", {"shipping_address": "999-9999"}).status_code == 409
    return order_id


def cancelled_draft(order, api, style, monkeypatch):
    order_id = draft(order, api, style, monkeypatch)
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    return order_id


def with_more(**more):
    return lambda order, api, style, monkeypatch: order(style, **more)


STORIES = {
    "happy": with_more(),
    "several books": several_books,
    "declined": with_more(payment_token="tok_insufficient_funds"),
    "gateway fails twice": with_more(payment_token="tok_unavailable_2"),
    "gateway down": with_more(payment_token="tok_unavailable_9"),
    "response lost, looked up": with_more(payment_token="tok_timeout_9"),
    "carrier fails twice": with_more(shipping_address="998-0002"),
    "carrier down": with_more(shipping_address="999-9999"),
    "carrier refuses": with_more(shipping_address="000-0000"),
    "sold out": sold_out_since_the_check,
    "expired": expired_before_the_sale,
    "cancelled": cancelled,
    "undone directly before it is cancelled": undone_directly_before_it_is_cancelled,
    "delivered": delivered,
    "returned": returned,
    "waiting": waiting_for_the_gateway,
    "completed after a wait": completed_after_a_wait,
    "cancelled during a wait": cancelled_during_a_wait,
    "past its deadline": past_its_deadline,
    "refund fails once": refund_that_fails_once,
    "draft": draft,
    "confirmed draft": confirmed_draft,
    "confirmed draft that fails": confirmed_draft_that_fails,
    "cancelled draft": cancelled_draft,
}


def in_both(story, order, api, monkeypatch):
    """Plays the story in each style. Returns the ids of the orders."""
    order_ids = []
    for style in SagaStyle:
        with monkeypatch.context() as patches:
            order_ids.append(STORIES[story](order, api, style, patches))
    return order_ids


def is_empty(entry):
    """Returns True for what only choreography says: that a context had nothing to give back."""
    needed = {"ShippingCancelled": "carrier", "PaymentCancelled": "amount"}.get(entry["event_type"])
    return needed is not None and needed not in entry["data"]


def comparable(entries):
    """Returns what both styles have in common: what happened until the failure, in order; and what was undone."""
    own = {"transaction_id", "tracking_number", "shipped_at", "delivered_at"}
    members = ("event_type", "customer_id", "book_id", "quantity", "total_amount")
    said = [
        ([entry[name] for name in members], {name: value for name, value in entry["data"].items() if name not in own})
        for entry in entries
        if not is_empty(entry)
    ]
    names = [each[0][0] for each in said]
    end = next((at for at, name in enumerate(names, 1) if name in FAILURES), len(said))
    return said[:end], sorted(said[end:], key=str)


@pytest.mark.parametrize("story", STORIES)
def test_both_styles_say_the_same_of_a_story(order, api, timeline, monkeypatch, story):
    orchestrated, choreographed = map(timeline, in_both(story, order, api, monkeypatch))
    if story == "expired":
        # Orchestration undoes the reservation as a step. In choreography it was released when it was found expired.
        orchestrated = [entry for entry in orchestrated if entry["event_type"] != "StockReleased"]
    assert comparable(orchestrated) == comparable(choreographed)
    for style, entries in zip(SagaStyle, (orchestrated, choreographed), strict=True):
        assert {entry["style"] for entry in entries} == {style}
        assert len({frozenset(entry) for entry in entries}) == 1, "every entry has the same members"
        happened = [entry for entry in entries if entry["event_type"] != "AttemptFailed"]
        times = [datetime.fromisoformat(entry["timestamp"]) for entry in happened]
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("happy", HAPPY),
        ("declined", [*HAPPY[:2], "PaymentFailed", "StockReleased", "OrderCancelled"]),
        ("gateway fails twice", [*HAPPY[:2], "AttemptFailed", "AttemptFailed", *HAPPY[2:]]),
        (
            "carrier down",
            [
                *HAPPY[:3],
                *["AttemptFailed"] * 3,
                "ShippingFailed",
                "PaymentRefunded",
                "StockReleased",
                "OrderCancelled",
            ],
        ),
        ("sold out", ["OrderCreated", "StockUnavailable", "OrderCancelled"]),
        (
            "cancelled",
            [
                *HAPPY,
                "OrderCancelRequested",
                "ShippingCancelled",
                "PaymentRefunded",
                "StockReleased",
                "OrderCancelled",
            ],
        ),
        (
            "undone directly before it is cancelled",
            [
                *HAPPY,
                "OrderCancelRequested",
                "ShippingCancelled",
                "PaymentRefunded",
                "StockReleased",
                "OrderCancelled",
            ],
        ),
        ("delivered", [*HAPPY, "OrderShipped", "OrderDelivered"]),
        (
            "returned",
            [
                *HAPPY,
                "OrderShipped",
                "OrderDelivered",
                "OrderReturnRequested",
                "ShippingReturned",
                "PaymentRefunded",
                "StockReleased",
                "OrderReturned",
            ],
        ),
        ("waiting", [*HAPPY[:2], *["AttemptFailed"] * 3]),
        (
            "past its deadline",
            [
                *HAPPY[:2],
                *["AttemptFailed"] * 3,
                "OrderTimedOut",
                "PaymentCancelled",
                "StockReleased",
                "OrderCancelled",
            ],
        ),
        (
            "confirmed draft",
            ["ItemAdded", "ItemAdded", "ItemRemoved", "ItemRemoved", "OrderConfirmed", *HAPPY],
        ),
        ("cancelled draft", ["ItemAdded", "ItemAdded", "ItemRemoved", "ItemRemoved", "OrderCancelled"]),
    ],
)
def test_the_timeline_of_an_orchestrated_order(order, api, timeline, monkeypatch, story, expected):
    assert types(timeline(STORIES[story](order, api, SagaStyle.ORCHESTRATION, monkeypatch))) == expected


def test_a_carrier_that_fails_twice_can_be_understood(order, timeline, operator, style):
    entries = timeline(order(style, shipping_address="998-0002"), signed_in(operator))
    first, second, arranged = entries[3:6]
    for number, entry in enumerate((first, second), start=1):
        assert entry["event_type"] == "AttemptFailed"
        assert entry["data"] == {
            "command": "ArrangeShipping",
            "attempt": number,
            "error": f"ProviderUnavailable: attempt {number}",
        }
    assert (arranged["event_type"], arranged["data"]["attempts"]) == ("ShippingArranged", 3)
    assert first["timestamp"] <= second["timestamp"] <= arranged["timestamp"]


def test_only_operators_read_how_a_provider_was_not_reached(order, api, operator, style):
    order_id = order(style, shipping_address="998-0002", payment_token="tok_unavailable_1")
    for page in (f"/orders/{order_id}/events", f"/saga/{order_id}/status"):
        as_customer, as_operator = api.get(page), signed_in(operator).get(page)
        assert "ProviderUnavailable" in as_operator.content.decode()
        shown = as_customer.content.decode()
        assert "ProviderUnavailable" not in shown and shown.count(str(NO_RESPONSE)) == 3


def test_customers_read_a_refusal_as_operators_do(order, api, operator, style):
    page = f"/saga/{order(style, payment_token='tok_expired_card')}/status"
    as_customer, as_operator = api.get(page).json(), signed_in(operator).get(page).json()
    assert as_customer["steps"] == as_operator["steps"] and as_customer["failure"] == as_operator["failure"]


def test_an_order_that_is_returned_while_it_is_read_is_not_shown_as_cancelled(
    order, api, timeline, monkeypatch, style
):
    order_id = delivered(order, api, style, monkeypatch)
    read = desk_timeline.events_of

    def read_after_the_return(order_id):
        return_order(order_id, "Sent back", "operator")
        return read(order_id)

    monkeypatch.setattr(desk_timeline, "events_of", read_after_the_return)
    *_, last = timeline(order_id)
    assert (last["event_type"], last["data"]["code"]) == ("OrderReturned", "order_returned")


def test_the_entries_are_numbered_and_paged(order, api, style):
    order_id = order(style)
    pages, url = [], f"/orders/{order_id}/events?page_size=4"
    while url:
        pages.append(api.get(url).json())
        url = pages[-1]["next"]
    assert [len(page["results"]) for page in pages] == [4, 2] and {page["count"] for page in pages} == {6}
    assert [entry["position"] for page in pages for entry in page["results"]] == [*range(1, 7)]
    assert api.get(f"/orders/{order_id}/events", {"page": 2}).status_code == 404


def test_the_printed_event_can_be_read(order, api, style):
    """Every member of the event that the product's documents print, under its name."""
    order_id = order(style, quantity=1)
    response = api.get(f"/orders/{order_id}/events", headers={"Accept": "application/json; case=camel"})
    created = response.json()["results"][0]
    printed = {
        "eventType": "OrderCreated",
        "orderId": order_id,
        "bookId": "book-123",
        "quantity": 1,
        "customerId": "customer-001",
        "totalAmount": 1100,
    }
    assert printed.items() <= created.items() and created["timestamp"].endswith("Z")
    assert created["data"]["lines"][0]["unitPrice"] == 1000


def test_an_order_of_several_books_names_them_in_its_lines(order, api, timeline, style, monkeypatch):
    created = timeline(several_books(order, api, style, monkeypatch))[0]
    assert (created["book_id"], created["quantity"], created["total_amount"]) == (None, 4, 2750)
    assert [(line["book_id"], line["quantity"]) for line in created["data"]["lines"]] == [
        ("book-123", 1),
        ("book-456", 3),
    ]


def test_only_the_owner_and_operators_see_it_and_only_these_see_names(order, api, operator, timeline, style):
    clerk = signed_in(operator)
    order_id = order(style)
    assert clerk.post(f"/orders/{order_id}/cancel").status_code == 200
    actors = {entry["event_type"]: entry["actor"] for entry in timeline(order_id, clerk) if entry["actor"]}
    assert actors == {"OrderCreated": "customer-001", "OrderCancelRequested": "operator"}
    assert {entry["actor"] for entry in timeline(order_id)} == {None}
    assert "operator" not in api.get(f"/orders/{order_id}/events").content.decode()
    stranger = signed_in(CustomerFactory(id="somebody-else").user)
    assert stranger.get(f"/orders/{order_id}/events").json()["code"] == "order_not_found"
