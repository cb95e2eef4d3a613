"""Who acted, as the ledger has it: customer, operator, the saga itself or the clock; and what a cancellation says."""

import pytest
from django.utils import timezone

from cloudmart.providers.remote import OutcomeUnknown, Unknown
from inventory.models import StockEvent
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.models import SagaInstance
from shipping.carriers.mock import MockCarrier
from tests.committed import let_a_worker_drive_it_on, let_reservations_expire
from tests.conftest import signed_in
from tests.factories import CustomerFactory

CUSTOMER, OPERATOR = "customer-001", "operator"
BY_CUSTOMER, BY_SHOP = "The customer has cancelled.", "The shop has cancelled the order."


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture
def clerk(operator):
    return signed_in(operator)


@pytest.fixture(params=[CUSTOMER, OPERATOR])
def who(request, api, clerk):
    """The client of the customer whose order it is, or the operator's; and the name of who that is."""
    return {CUSTOMER: api, OPERATOR: clerk}[request.param], request.param


@pytest.fixture
def body(shelve, style):
    shelve("book-123", 5)
    book = {"book_id": "book-123", "quantity": 2}
    return {"customer_id": CUSTOMER, "payment_method": "credit_card", "saga": style, **book}


def acts():
    """What has happened to the stock since it came, and who did it."""
    return list(StockEvent.objects.exclude(type="StockAdded").order_by("version").values_list("type", "actor"))


def die(*args, **kwargs):
    raise KeyboardInterrupt


def no_word(*args, **kwargs):
    raise OutcomeUnknown("no answer")


# --- Who has acted ----------------------------------------------------------------------------------


def test_whoever_places_an_order_takes_the_books(who, body):
    client, name = who
    assert client.post("/orders", body).status_code == 201
    assert acts() == [("StockReserved", name), ("ReservationConfirmed", name)]


@pytest.mark.parametrize(
    "failing", [{"payment_token": "tok_insufficient_funds"}, {"shipping_address": "999-9999 Nowhere"}]
)
def test_an_order_that_fails_is_undone_by_its_saga(who, body, failing):
    client, name = who
    assert client.post("/orders", {**body, **failing}).status_code in {402, 409}
    assert acts() == [("StockReserved", name), ("ReservationCancelled", "saga")]


def test_an_order_that_is_late_is_undone_by_its_saga(api, body, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", no_word)
        down.setattr(MockGateway, "lookup", lambda *args: Unknown("nobody knows"))
        api.post("/orders", body)
    SagaInstance.objects.update(deadline_at=timezone.now())
    let_a_worker_drive_it_on()
    assert acts()[1:] == [("ReservationCancelled", "saga")]


def test_an_order_whose_hold_expires_before_its_books_are_sold_is_undone_by_its_saga(who, body, monkeypatch):
    client, name = who
    arrange = MockCarrier.arrange

    def too_late(*args, **kwargs):
        let_reservations_expire()
        return arrange(*args, **kwargs)

    monkeypatch.setattr(MockCarrier, "arrange", too_late)
    assert client.post("/orders", body).json()["code"] == "reservation_expired"
    assert acts() == [("StockReserved", name), ("ReservationCancelled", "saga")]


def test_whoever_cancels_a_completed_order_puts_the_books_back(api, who, body):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    assert client.post(f"/orders/{order_id}/cancel").status_code == 200
    assert acts()[2:] == [("StockReturned", name)]


@pytest.mark.parametrize("verb", ["cancel", "compensate"])
def test_an_operator_who_commands_a_saga_puts_the_books_back(api, clerk, body, verb):
    order_id = api.post("/orders", body).json()["order_id"]
    assert clerk.post(f"/saga/{order_id}/{verb}").status_code == 200
    assert acts()[2:] == [("StockReturned", OPERATOR)]


@pytest.mark.parametrize("verb", ["cancel", "compensate"])
def test_an_operator_who_turns_a_waiting_saga_back_gives_the_books_back(api, clerk, body, monkeypatch, verb):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", no_word)
        down.setattr(MockGateway, "lookup", lambda *args: Unknown("nobody knows"))
        order_id = api.post("/orders", body).json()["order_id"]
    assert clerk.post(f"/saga/{order_id}/{verb}").status_code in {200, 202}
    let_a_worker_drive_it_on()
    assert acts()[1:] == [("ReservationCancelled", OPERATOR)]


def test_who_has_requested_it_survives_a_crash_before_anything_is_undone(api, who, body, monkeypatch):
    """The request is written down while a driver is at work, who dies; a worker reads it, and undoes the order."""
    client, name = who

    def cancelled_and_killed(*args, **kwargs):
        client.post(f"/orders/{Order.objects.get().pk}/cancel")
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(MockGateway, "charge", cancelled_and_killed)
        api.post("/orders", body)
    let_a_worker_drive_it_on()
    assert Order.objects.get().status == "cancelled"
    assert acts()[1:] == [("ReservationCancelled", name)]


def test_who_has_requested_it_survives_a_crash_in_the_midst_of_the_undo(api, who, body, monkeypatch):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(MockGateway, "refund", die)
        client.post(f"/orders/{order_id}/cancel")
    let_a_worker_drive_it_on()
    assert Order.objects.get().status == "cancelled"
    assert acts()[2:] == [("StockReturned", name)]


def test_the_first_who_requests_it_is_named(api, clerk, body, monkeypatch):
    def cancelled_twice(*args, **kwargs):
        for client, reason in ((clerk, "Recalled."), (api, "Changed my mind.")):
            client.post(f"/orders/{Order.objects.get().pk}/cancel", {"reason": reason})
        raise OutcomeUnknown("no answer")

    with monkeypatch.context() as twice:
        twice.setattr(MockGateway, "charge", cancelled_twice)
        twice.setattr(MockGateway, "lookup", lambda *args: Unknown("nobody knows"))
        api.post("/orders", body)
    let_a_worker_drive_it_on()
    assert Order.objects.get().cancel_reason == "Recalled."
    assert acts()[1:] == [("ReservationCancelled", OPERATOR)]


def test_a_request_that_comes_too_late_does_not_make_a_failure_the_operators(api, clerk, body, monkeypatch):
    """The parcel is refused, and while the refund is made somebody cancels an order that fails anyway."""
    refund = MockGateway.refund

    def cancelled_meanwhile(self, key, **kwargs):
        clerk.post(f"/orders/{Order.objects.get().pk}/cancel")
        return refund(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", cancelled_meanwhile)
    assert api.post("/orders", {**body, "shipping_address": "999-9999 Nowhere"}).status_code == 409
    assert acts()[1:] == [("ReservationCancelled", "saga")]


def test_a_draft_is_each_time_changed_by_whoever_does_it(api, clerk, body):
    draft = clerk.post("/orders", {name: body[name] for name in ("customer_id", "saga", "payment_method")})["Location"]
    item = {"book_id": "book-123", "quantity": 1}
    clerk.post(f"{draft}/items", item)
    api.post(f"{draft}/items", item)
    assert clerk.post(f"{draft}/confirm").status_code == 200
    assert acts() == [("StockReserved", OPERATOR), ("StockReserved", CUSTOMER), ("ReservationConfirmed", OPERATOR)]


def test_an_operator_who_is_a_customer_too_is_that_for_their_own_orders_only(body):
    boss = CustomerFactory(id="customer-boss", user__username="boss", user__is_staff=True, user__is_superuser=True)
    client = signed_in(boss.user)
    CustomerFactory(id=CUSTOMER)
    client.post("/orders", body)
    own = client.post("/orders", {**body, "customer_id": "customer-boss"}).json()["order_id"]
    client.post(f"/orders/{own}/cancel")
    assert [actor for _, actor in acts()] == ["boss", "boss", "customer-boss", "customer-boss", "customer-boss"]
    assert Order.objects.get(pk=own).cancel_reason == BY_CUSTOMER


def test_a_customer_sees_no_operators_name(api, clerk, body):
    order_id = clerk.post("/orders", body).json()["order_id"]
    clerk.post(f"/orders/{order_id}/cancel")
    assert acts()[0] == ("StockReserved", OPERATOR) and SagaInstance.objects.get().cancelled_by == OPERATOR
    seen = ("/orders", f"/orders/{order_id}", f"/saga/{order_id}/status", "/inventory/book-123/events")
    assert OPERATOR not in "".join(api.get(path).content.decode() for path in seen)


# --- Why --------------------------------------------------------------------------------------------


def test_a_cancellation_without_a_reason_says_who_has_cancelled(api, who, body):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    answer = client.post(f"/orders/{order_id}/cancel")
    assert answer.json()["cancel_reason"] == (BY_CUSTOMER if name == CUSTOMER else BY_SHOP)


def test_so_it_does_of_a_draft(api, who, style):
    client, name = who
    draft = api.post("/orders", {"saga": style})["Location"]
    assert client.post(f"{draft}/cancel").json()["cancel_reason"] == (BY_CUSTOMER if name == CUSTOMER else BY_SHOP)


def test_a_saga_is_cancelled_by_the_shop(api, clerk, body):
    order_id = api.post("/orders", body).json()["order_id"]
    told = clerk.post(f"/saga/{order_id}/cancel").json()
    assert told["failure"]["reason"] == BY_SHOP == Order.objects.get().cancel_reason
    assert told["actions"][0]["actor"] == OPERATOR
