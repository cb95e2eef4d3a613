"""The events of drafts, which both styles record: who added and removed what, and the confirmation or cancellation."""

import pytest

from inventory.models import Book
from sagas.models import Event
from tests.acceptance.conftest import events_in
from tests.bookkeeping import findings
from tests.conftest import signed_in
from tests.factories import CustomerFactory

OPERATOR = "operator"
ORDER = {"customer_id": "customer-001", "currency": "JPY"}


@pytest.fixture(autouse=True)
def audited(transactional_db):
    """Checks every invariant after each test."""
    yield
    assert findings() == {}


@pytest.fixture
def draft(api, style, shelve):
    """The path of an empty draft."""
    shelve("book-123", 100, price=1000)
    shelve("book-456", 5, price=500)
    Book.objects.update(title="Clouds")
    return api.post("/orders", {"saga": style, "payment_method": "credit_card"})["Location"]


@pytest.fixture
def add(api, draft):
    def add(book_id, quantity):
        assert api.post(f"{draft}/items", {"book_id": book_id, "quantity": quantity}).status_code == 200

    return add


@pytest.fixture
def recorded(draft):
    """Returns the events of the draft: type and payload, without what each of them has."""

    def recorded():
        events = list(Event.objects.filter(aggregate_id=draft.rpartition("/")[2]).order_by("seq"))
        assert [event.seq for event in events] == [*range(1, len(events) + 1)]
        for event in events:
            always = {"version": 3, "order_id": draft.rpartition("/")[2], **ORDER}
            assert {name: event.payload.pop(name) for name in always} == always
        return [(event.event_type, event.payload) for event in events]

    return recorded


def copies(quantity, total, book_id="book-123", **more):
    return {"book_id": book_id, "quantity": quantity, "total_amount": total, "actor": "customer-001", **more}


def test_every_change_of_the_books_is_an_event_with_the_copies_added_or_removed(api, draft, add, recorded):
    book, other = {"title": "Clouds", "unit_price": 1000}, {"title": "Clouds", "unit_price": 500}
    add("book-123", 2)
    add("book-456", 1)
    add("book-123", 1)
    for quantity in (5, 5, 1):
        assert api.put(f"{draft}/items/book-123", {"quantity": quantity}).status_code == 200
    for _ in range(2):
        assert api.delete(f"{draft}/items/book-456").status_code == 200
    assert recorded() == [
        ("ItemAdded", copies(2, 2200, **book)),
        ("ItemAdded", copies(1, 2750, "book-456", **other)),
        ("ItemAdded", copies(1, 3850, **book)),
        ("ItemAdded", copies(2, 6050, **book)),
        ("ItemRemoved", copies(4, 1650)),
        ("ItemRemoved", copies(1, 1100, "book-456")),
    ]
    assert not Event.objects.filter(delivered_at=None).exists()


def test_a_change_that_is_refused_is_no_event(api, draft, recorded):
    assert api.post(f"{draft}/items", {"book_id": "book-456", "quantity": 6}).status_code == 409
    assert api.put(f"{draft}/items/book-456", {"quantity": 1}).status_code == 404
    assert recorded() == []


def test_the_confirmation_precedes_the_order(api, draft, add, status_of, style):
    add("book-123", 2)
    assert api.post(f"{draft}/confirm").status_code == 200
    saga = status_of(draft.rpartition("/")[2])
    after = [] if style == "orchestration" else events_in(saga)[2:]
    assert events_in(saga) == ["ItemAdded", "OrderConfirmed", *after]
    assert after[:1] == ([] if style == "orchestration" else ["OrderCreated"])
    confirmed = saga["events"][1]["payload"]
    assert (confirmed["book_id"], confirmed["quantity"], confirmed["total_amount"]) == ("book-123", 2, 2200)
    assert confirmed["lines"] == [{"book_id": "book-123", "title": "Clouds", "unit_price": 1000, "quantity": 2}]
    assert saga["history"][-1] == "COMPLETED" and saga["status"] == "COMPLETED"


def test_a_confirmation_that_is_refused_is_no_event(api, draft, add, recorded):
    add("book-123", 2)
    assert api.post(f"{draft}/confirm", {"coupon": "NOPE"}).status_code == 404
    assert [event_type for event_type, _ in recorded()] == ["ItemAdded"]


def test_a_confirmed_draft_can_be_cancelled_after_it_has_completed(api, draft, add, status_of):
    add("book-123", 2)
    api.post(f"{draft}/confirm")
    assert api.post(f"{draft}/cancel").status_code == 200
    assert status_of(draft.rpartition("/")[2])["status"] == "FAILED"


def test_a_cancelled_draft_says_why_and_what_it_was(api, draft, add, recorded):
    add("book-123", 2)
    for _ in range(2):
        assert api.post(f"{draft}/cancel", {"reason": "Not needed"}).status_code == 200
    _, (event_type, payload) = recorded()
    assert event_type == "OrderCancelled"
    assert (payload["code"], payload["reason"], payload["actor"]) == ("order_cancelled", "Not needed", "customer-001")
    assert payload["total_amount"] == 2200
    assert [line["quantity"] for line in payload["lines"]] == [2]


def test_an_empty_draft_can_be_cancelled(api, draft, recorded):
    assert api.post(f"{draft}/cancel").status_code == 200
    ((_, payload),) = recorded()
    assert (payload["lines"], payload["book_id"], payload["quantity"], payload["total_amount"]) == ([], None, 0, 0)


def test_a_deleted_draft_takes_its_events_with_it(api, draft, add):
    add("book-123", 2)
    assert api.delete(draft).status_code == 204
    assert not Event.objects.exists()


def test_only_operators_see_which_operator_has_changed_a_draft(api, operator, draft, status_of):
    clerk = signed_in(operator)
    clerk.post(f"{draft}/items", {"book_id": "book-123", "quantity": 1})
    clerk.post(f"{draft}/confirm")
    path = f"/saga/{draft.rpartition('/')[2]}/status"
    assert {event["payload"].get("actor") for event in clerk.get(path).json()["events"][:2]} == {OPERATOR}
    assert OPERATOR not in api.get(path).content.decode()
    assert signed_in(CustomerFactory(id="somebody-else").user).get(path).status_code == 404
