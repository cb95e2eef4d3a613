"""The actors in the stock ledger: customer, operator or saga; and the reason of a cancellation."""

import pytest
from django.utils import timezone

from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory.models import StockEvent
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.models import SagaInstance
from shipping.carriers.mock import MockCarrier
from tests.committed import let_reservations_expire, run_worker_after_leases_expire
from tests.conftest import signed_in
from tests.factories import CustomerFactory

CUSTOMER, OPERATOR = "customer-001", "operator"
BY_CUSTOMER, BY_SHOP = "The customer has cancelled.", "The shop has cancelled the order."


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture(params=[CUSTOMER, OPERATOR])
def who(request, api, desk):
    """The client of the customer whose order it is, or of an operator; and the name in the ledger."""
    return {CUSTOMER: api, OPERATOR: desk}[request.param], request.param


@pytest.fixture
def body(shelve, style):
    shelve("book-123", 5)
    book = {"book_id": "book-123", "quantity": 2}
    return {"customer_id": CUSTOMER, "payment_method": "credit_card", "saga": style, **book}


def changes():
    """Returns the stock changes after the delivery, each with its actor."""
    return list(StockEvent.objects.exclude(type="StockAdded").order_by("version").values_list("type", "actor"))


def die(*args, **kwargs):
    raise KeyboardInterrupt


def no_response(*args, **kwargs):
    raise OutcomeUnknown("no response")


# --- Actors -----------------------------------------------------------------------------------------


def test_whoever_places_an_order_reserves_and_buys_the_books(who, body):
    client, name = who
    assert client.post("/orders", body).status_code == 201
    assert changes() == [("StockReserved", name), ("ReservationConfirmed", name)]


@pytest.mark.parametrize(
    "failing", [{"payment_token": "tok_insufficient_funds"}, {"shipping_address": "999-9999 Nowhere"}]
)
def test_the_saga_undoes_an_order_that_fails(who, body, failing):
    client, name = who
    assert client.post("/orders", {**body, **failing}).status_code in {402, 409}
    assert changes() == [("StockReserved", name), ("ReservationCancelled", "saga")]


def test_the_saga_undoes_an_order_past_its_deadline(api, body, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", no_response)
        down.setattr(MockGateway, "lookup", lambda *args: Unknown("unknown"))
        api.post("/orders", body)
    SagaInstance.objects.update(deadline_at=timezone.now())
    run_worker_after_leases_expire()
    assert changes()[1:] == [("ReservationCancelled", "saga")]


def test_the_saga_undoes_an_order_whose_reservation_expires_before_the_sale(who, body, monkeypatch):
    client, name = who
    arrange = MockCarrier.arrange

    def too_late(*args, **kwargs):
        let_reservations_expire()
        return arrange(*args, **kwargs)

    monkeypatch.setattr(MockCarrier, "arrange", too_late)
    assert client.post("/orders", body).json()["code"] == "reservation_expired"
    assert changes() == [("StockReserved", name), ("ReservationCancelled", "saga")]


def test_whoever_cancels_a_completed_order_returns_the_books(api, who, body):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    assert client.post(f"/orders/{order_id}/cancel").status_code == 200
    assert changes()[2:] == [("StockReturned", name)]


@pytest.mark.parametrize("command", ["cancel", "compensate"])
def test_an_operator_who_undoes_a_completed_saga_returns_the_books(api, desk, body, command):
    order_id = api.post("/orders", body).json()["order_id"]
    assert desk.post(f"/saga/{order_id}/{command}").status_code == 200
    assert changes()[2:] == [("StockReturned", OPERATOR)]


@pytest.mark.parametrize("command", ["cancel", "compensate"])
def test_an_operator_who_undoes_a_waiting_saga_releases_the_books(api, desk, body, monkeypatch, command):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", no_response)
        down.setattr(MockGateway, "lookup", lambda *args: Unknown("unknown"))
        order_id = api.post("/orders", body).json()["order_id"]
    assert desk.post(f"/saga/{order_id}/{command}").status_code in {200, 202}
    run_worker_after_leases_expire()
    assert changes()[1:] == [("ReservationCancelled", OPERATOR)]


def test_after_a_crash_before_the_compensation_the_requester_is_the_actor(api, who, body, monkeypatch):
    """The driver dies after the request is stored; a worker reads it, and undoes the order."""
    client, name = who

    def cancelled_and_killed(*args, **kwargs):
        client.post(f"/orders/{Order.objects.get().pk}/cancel")
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(MockGateway, "charge", cancelled_and_killed)
        api.post("/orders", body)
    run_worker_after_leases_expire()
    assert Order.objects.get().status == "cancelled"
    assert changes()[1:] == [("ReservationCancelled", name)]


def test_after_a_crash_during_the_compensation_the_requester_is_the_actor(api, who, body, monkeypatch):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(MockGateway, "refund", die)
        client.post(f"/orders/{order_id}/cancel")
    run_worker_after_leases_expire()
    assert Order.objects.get().status == "cancelled"
    assert changes()[2:] == [("StockReturned", name)]


def test_of_two_requests_the_first_one_counts(api, desk, body, monkeypatch):
    def cancelled_twice(*args, **kwargs):
        for client, reason in ((desk, "Recalled."), (api, "Changed my mind.")):
            client.post(f"/orders/{Order.objects.get().pk}/cancel", {"reason": reason})
        raise OutcomeUnknown("no response")

    with monkeypatch.context() as twice:
        twice.setattr(MockGateway, "charge", cancelled_twice)
        twice.setattr(MockGateway, "lookup", lambda *args: Unknown("unknown"))
        api.post("/orders", body)
    run_worker_after_leases_expire()
    assert Order.objects.get().cancel_reason == "Recalled."
    assert changes()[1:] == [("ReservationCancelled", OPERATOR)]


def test_a_cancellation_requested_during_the_compensation_does_not_change_the_actor(api, desk, body, monkeypatch):
    """The parcel is refused; during the refund an operator cancels the order, which fails anyway."""
    refund = MockGateway.refund

    def cancelled_meanwhile(self, key, **kwargs):
        desk.post(f"/orders/{Order.objects.get().pk}/cancel")
        return refund(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", cancelled_meanwhile)
    assert api.post("/orders", {**body, "shipping_address": "999-9999 Nowhere"}).status_code == 409
    assert changes()[1:] == [("ReservationCancelled", "saga")]


def test_each_change_of_a_draft_has_its_own_actor(api, desk, body):
    draft = desk.post("/orders", {name: body[name] for name in ("customer_id", "saga", "payment_method")})["Location"]
    item = {"book_id": "book-123", "quantity": 1}
    desk.post(f"{draft}/items", item)
    api.post(f"{draft}/items", item)
    assert desk.post(f"{draft}/confirm").status_code == 200
    assert changes() == [("StockReserved", OPERATOR), ("StockReserved", CUSTOMER), ("ReservationConfirmed", OPERATOR)]


def test_an_operator_acts_as_a_customer_only_on_their_own_orders(body):
    boss = CustomerFactory(id="customer-boss", user__username="boss", user__is_staff=True, user__is_superuser=True)
    client = signed_in(boss.user)
    CustomerFactory(id=CUSTOMER)
    client.post("/orders", body)
    own = client.post("/orders", {**body, "customer_id": "customer-boss"}).json()["order_id"]
    client.post(f"/orders/{own}/cancel")
    assert [actor for _, actor in changes()] == ["boss", "boss", "customer-boss", "customer-boss", "customer-boss"]
    assert Order.objects.get(pk=own).cancel_reason == BY_CUSTOMER


def test_a_customer_does_not_see_the_names_of_operators(api, desk, body):
    order_id = desk.post("/orders", body).json()["order_id"]
    desk.post(f"/orders/{order_id}/cancel")
    assert changes()[0] == ("StockReserved", OPERATOR) and SagaInstance.objects.get().cancelled_by == OPERATOR
    seen = ("/orders", f"/orders/{order_id}", f"/saga/{order_id}/status", "/inventory/book-123/events")
    assert OPERATOR not in "".join(api.get(path).content.decode() for path in seen)


# --- Reasons ----------------------------------------------------------------------------------------


def test_a_cancellation_without_a_reason_says_which_side_has_cancelled(api, who, body):
    client, name = who
    order_id = api.post("/orders", body).json()["order_id"]
    response = client.post(f"/orders/{order_id}/cancel")
    assert response.json()["cancel_reason"] == (BY_CUSTOMER if name == CUSTOMER else BY_SHOP)


def test_the_cancellation_of_a_draft_says_which_side_has_cancelled(api, who, style):
    client, name = who
    draft = api.post("/orders", {"saga": style})["Location"]
    assert client.post(f"{draft}/cancel").json()["cancel_reason"] == (BY_CUSTOMER if name == CUSTOMER else BY_SHOP)


def test_the_saga_command_cancel_says_that_the_shop_has_cancelled(api, desk, body):
    order_id = api.post("/orders", body).json()["order_id"]
    status = desk.post(f"/saga/{order_id}/cancel").json()
    assert status["failure"]["reason"] == BY_SHOP == Order.objects.get().cancel_reason
    assert status["actions"][0]["actor"] == OPERATOR
