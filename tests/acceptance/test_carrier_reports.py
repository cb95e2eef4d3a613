"""The carrier reports that a parcel was shipped and delivered: by its webhook, or when a worker asks it."""

import json
from datetime import timedelta
from threading import Event
from time import monotonic, sleep
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.dateparse import parse_datetime

from cloudmart.database.clock import DatabaseNow, database_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable
from sagas.choreography import inventory as reactions_of_inventory
from sagas.locks import lock_saga
from sagas.models import SagaInstance
from sagas.operations.parcels import poll_parcels
from shipping.carriers.mock import MockCarrier
from shipping.carriers.reports import Progress
from shipping.models import Shipment
from shipping.polling import due, reschedule
from tests import carrier
from tests.acceptance.conftest import end_of, money_kept
from tests.conftest import signed_in
from tests.integration.test_audit import failing
from tests.integration.test_races import all_at_once
from tests.processes import TIMEOUT

OLD = "whsec_YW4tb2xkLXNlY3JldC1vZi10aGUtY2Fycmllcg=="


@pytest.fixture(autouse=True)
def secret(settings):
    settings.CARRIER_WEBHOOK_SECRET = [carrier.SECRET]


@pytest.fixture
def bought(place, shelve):
    """The id of a completed order of 2 of 5 copies."""
    shelve("book-123", 5)
    return place(("book-123", 2)).json()["order_id"]


@pytest.fixture
def parcel(api, bought):
    """Returns the JSON of GET /shipping/{order_id}."""
    return lambda: api.get(f"/shipping/{bought}").json()


def run_worker():
    """Runs a worker after every parcel has become due to be polled, and every wait has ended."""
    Shipment.objects.exclude(next_poll_at=None).update(next_poll_at=DatabaseNow())
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
    call_command("run_worker", once=True)


# --- The webhook ----------------------------------------------------------------------------------


def test_a_parcel_is_shipped_and_delivered(bought, parcel):
    assert (parcel()["status"], parcel()["shipped_at"], parcel()["delivered_at"]) == ("arranged", None, None)
    assert carrier.report(bought, "shipped").status_code == 204
    shipped = parcel()
    assert shipped["status"] == "shipped" and shipped["delivered_at"] is None
    assert carrier.report(bought, "delivered").status_code == 204
    delivered = parcel()
    assert delivered["status"] == "delivered" and delivered["delivered_at"]
    assert delivered["shipped_at"] == shipped["shipped_at"]


def test_the_events_of_the_order_say_so(bought, parcel, status_of):
    for progress in Progress:
        carrier.report(bought, progress)
    *_, shipped, delivered = status_of(bought)["events"]
    assert [shipped["event_type"], delivered["event_type"]] == ["OrderShipped", "OrderDelivered"]
    assert shipped["payload"]["tracking_number"] == parcel()["tracking_number"]
    assert parse_datetime(shipped["payload"]["shipped_at"]) == parse_datetime(parcel()["shipped_at"])
    assert parse_datetime(delivered["payload"]["delivered_at"]) == parse_datetime(parcel()["delivered_at"])
    assert status_of(bought)["history"][-1] == "COMPLETED" and failing() == {}


@pytest.mark.parametrize("progress", Progress)
def test_a_repeated_report_changes_nothing(bought, parcel, status_of, progress):
    carrier.report(bought, progress)
    before = parcel(), status_of(bought)
    assert carrier.report(bought, progress).status_code == 204
    assert (parcel(), status_of(bought)) == before


def test_a_report_that_is_overtaken_changes_nothing(bought, parcel, status_of):
    carrier.report(bought, "delivered")
    before = parcel(), status_of(bought)
    assert before[0]["status"] == "delivered" and before[0]["shipped_at"] is None
    assert carrier.report(bought, "shipped").status_code == 204
    assert (parcel(), status_of(bought)) == before


@pytest.mark.any_database
def test_the_time_is_the_carriers_within_reason(bought, parcel):
    arranged = parse_datetime(parcel()["created_at"])
    carrier.report(bought, "shipped", "2001-01-01T00:00:00Z")
    assert parse_datetime(parcel()["shipped_at"]) == arranged
    carrier.report(bought, "delivered", "2999-01-01T00:00:00Z")
    delivered = parse_datetime(parcel()["delivered_at"])
    assert arranged < delivered < arranged + timedelta(hours=1)


@pytest.mark.any_database
def test_a_webhook_needs_a_signature(bought, parcel, settings):
    body = carrier.event(bought, "shipped")
    forged = {
        "unsigned": {},
        "another secret": carrier.headers(body, OLD),
        "another body": carrier.headers(carrier.event(bought, "delivered")),
        "old": carrier.headers(body, age=timedelta(minutes=6)),
        "from the future": carrier.headers(body, age=-timedelta(minutes=6)),
        "another id": carrier.headers(body, webhook_id="msg_1"),
        "another time": carrier.headers(body, webhook_timestamp="1"),
        "no time": carrier.headers(body, webhook_timestamp="nan"),
        "no version": carrier.headers(body, webhook_signature="v1"),
        "no base64": carrier.headers(body, webhook_signature="v1,?"),
        "another version": carrier.headers(body, webhook_signature="v2,AAAA"),
    }
    for name, headers in forged.items():
        response = carrier.post(body, headers)
        assert (response.status_code, response.json()["code"]) == (401, "invalid_signature"), name
        assert response["WWW-Authenticate"] and response.json()["advice"]
    settings.CARRIER_WEBHOOK_SECRET = []
    assert carrier.post(body).status_code == 401
    assert parcel()["status"] == "arranged"


@pytest.mark.any_database
def test_no_token_replaces_the_signature(operator, bought):
    body = json.loads(carrier.event(bought, "shipped"))
    assert signed_in(operator).post("/shipping/webhook", body).json()["code"] == "invalid_signature"


@pytest.mark.any_database
def test_two_secrets_are_valid_while_one_is_replaced(bought, settings):
    settings.CARRIER_WEBHOOK_SECRET = [carrier.SECRET, OLD]
    body = carrier.event(bought, "shipped")
    for secret in settings.CARRIER_WEBHOOK_SECRET:
        assert carrier.post(body, carrier.headers(body, secret)).status_code == 204


@pytest.mark.any_database
def test_a_parcel_that_is_not_ours_is_not_found(customer):
    body = {"type": "parcel.shipped", "timestamp": carrier.HAPPENED, "data": {"parcel_key": "somebody-elses"}}
    response = carrier.post(json.dumps(body).encode())
    assert (response.status_code, response.json()["code"]) == (404, "shipment_not_found")


@pytest.mark.any_database
@pytest.mark.parametrize("kind", ["parcel.out_for_delivery", "account.updated", ""])
def test_other_events_are_ignored(transactional_db, kind):
    assert carrier.post(json.dumps({"type": kind}).encode()).status_code == 204


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"timestamp": carrier.HAPPENED, "data": {"parcel_key": "key"}}, "type"),
        ({"type": 1, "timestamp": carrier.HAPPENED, "data": {"parcel_key": "key"}}, "type"),
        ({"type": "parcel.shipped", "data": {"parcel_key": "key"}}, "timestamp"),
        ({"type": "parcel.shipped", "timestamp": "yesterday", "data": {"parcel_key": "key"}}, "timestamp"),
        ({"type": "parcel.shipped", "timestamp": carrier.HAPPENED, "data": {}}, "data.parcel_key"),
        ({"type": "parcel.shipped", "timestamp": carrier.HAPPENED, "data": {"parcel_key": "\0"}}, "data.parcel_key"),
        ({"type": "parcel.shipped", "timestamp": carrier.HAPPENED, "data": "key"}, "data"),
    ],
)
def test_a_wrong_field_is_named(transactional_db, body, field):
    response = carrier.post(json.dumps(body).encode())
    assert response.status_code == 400
    assert {error["field"] for error in response.json()["errors"]} == {field}


@pytest.mark.any_database
def test_a_signed_body_that_is_no_json_object_is_refused(transactional_db):
    assert [carrier.post(body).status_code for body in (b"parcel.shipped", b"[]", b"null")] == [400, 400, 400]


@pytest.mark.any_database
def test_webhooks_are_throttled_and_strangers_apart_from_the_carrier(bought, rates):
    rates(user="3/hour", anon="2/hour")
    body = carrier.event(bought, "shipped")
    assert [carrier.post(body, {}).status_code for _ in range(3)] == [401, 401, 429]
    assert [carrier.post(body).status_code for _ in range(4)] == [204, 204, 204, 429]


# --- The poll -------------------------------------------------------------------------------------


@pytest.mark.parametrize("progress", Progress)
def test_a_worker_asks_the_carrier(bought, parcel, progress):
    carrier.collect(bought, progress)
    call_command("run_worker", once=True)
    assert parcel()["status"] == "arranged", "it is asked when the parcel is due"
    run_worker()
    assert parcel()["status"] == progress and parcel()[f"{progress}_at"]


def due_again(order_id):
    """Returns in how many seconds the parcel is polled; None if it is not."""
    shipment = Shipment.objects.annotate(now=DatabaseNow()).get(order_id=order_id)
    return shipment.next_poll_at and (shipment.next_poll_at - shipment.now).total_seconds()


def test_a_parcel_is_asked_about_until_it_is_delivered_and_less_often_as_it_ages(bought, settings):
    settings.CARRIER_POLL_INTERVAL = timedelta(minutes=10)
    run_worker()
    assert 590 < due_again(bought) <= 600
    carrier.collect(bought)
    Shipment.objects.update(created_at=DatabaseNow() - timedelta(hours=10))
    run_worker()
    assert 3590 < due_again(bought) <= 3601
    carrier.collect(bought, Progress.DELIVERED)
    run_worker()
    assert due_again(bought) is None


@pytest.mark.parametrize("error", [OutcomeUnknown("silence"), ProviderUnavailable("down"), RuntimeError("a defect")])
def test_a_carrier_that_fails_is_asked_again_later(bought, parcel, monkeypatch, error):
    def fail(self, key):
        raise error

    carrier.collect(bought)
    with monkeypatch.context() as down:
        down.setattr(MockCarrier, "track", fail)
        run_worker()
    assert parcel()["status"] == "arranged" and due_again(bought) > 60
    run_worker()
    assert parcel()["status"] == "shipped"


def test_of_several_workers_one_asks(bought):
    Shipment.objects.update(next_poll_at=DatabaseNow())
    (parcel,) = due(10, database_now())
    assert sorted(all_at_once([lambda: reschedule(parcel)] * 4)) == [False, False, False, True]
    assert due(10, database_now()) == []


def test_a_run_asks_once_about_a_parcel_that_is_due_again_before_it_ends(bought, monkeypatch):
    calls = []

    def ask_slowly(self, key):
        calls.append(key)
        sleep(0.01)
        Shipment.objects.update(next_poll_at=DatabaseNow())

    monkeypatch.setattr(MockCarrier, "track", ask_slowly)
    Shipment.objects.update(next_poll_at=DatabaseNow())
    assert poll_parcels(lambda: len(calls) > 2) == len(calls) == 1


@pytest.mark.any_database
def test_a_worker_that_stops_does_not_wait_for_the_next_poll(bought, settings):
    settings.CARRIER_POLL_RATE = 0.1
    Shipment.objects.update(next_poll_at=DatabaseNow())
    began = monotonic()
    stops = iter([False])
    assert poll_parcels(lambda: next(stops, True)) == 1
    assert monotonic() - began < 5


def test_a_carrier_that_cannot_be_asked_is_not(bought, parcel, monkeypatch):
    carrier.collect(bought)
    monkeypatch.delattr(MockCarrier, "track")
    run_worker()
    assert parcel()["status"] == "arranged"


# --- Reports while the order's saga is not finished ------------------------------------------------


@pytest.fixture
def unsold(api, shelve, monkeypatch):
    """An order whose parcel is arranged, but which is not sold: its driver has died.

    Only in choreography can there be a commit between the parcel and the sale.
    """

    def fail(order):
        raise RuntimeError

    shelve("book-123", 5)
    body = {"book_id": "book-123", "quantity": 2, "payment_method": "credit_card", "saga": "choreography"}
    with monkeypatch.context() as failing:
        failing.setattr(reactions_of_inventory.inventory, "confirm_stock", fail)
        assert api.post("/orders", body).status_code == 500
    return str(SagaInstance.objects.get().order_id)


def test_a_report_that_comes_before_the_order_is_sold_is_sent_again_later(api, unsold):
    response = carrier.report(unsold, "shipped")
    assert (response.status_code, response.json()["code"]) == (409, "saga_running")
    assert int(response["Retry-After"]) > 0
    SagaInstance.objects.update(lease_until=DatabaseNow())
    run_worker()
    assert carrier.report(unsold, "shipped").status_code == 204
    assert api.get(f"/shipping/{unsold}").json()["status"] == "shipped"


def test_a_poll_that_comes_before_the_order_is_sold_is_repeated_later(api, unsold):
    carrier.collect(unsold)
    run_worker()
    assert api.get(f"/shipping/{unsold}").json()["status"] == "arranged" and due_again(unsold) > 60
    SagaInstance.objects.update(lease_until=DatabaseNow())
    run_worker()
    run_worker()
    assert api.get(f"/shipping/{unsold}").json()["status"] == "shipped"


def test_a_cancelled_parcel_is_not_shipped(api, bought):
    api.post(f"/orders/{bought}/cancel")
    response = carrier.report(bought, "shipped")
    assert (response.status_code, response.json()["code"]) == (409, "illegal_move")
    assert end_of(bought)[:3] == ("cancelled", 0, 0)


@pytest.mark.parametrize("progress", Progress)
def test_a_cancellation_that_the_carrier_refuses_waits_and_the_money_is_kept(api, bought, parcel, progress):
    carrier.collect(bought, progress)
    assert api.post(f"/orders/{bought}/cancel").status_code == 202
    assert parcel()["status"] == "cancelling"
    run_worker()
    assert parcel()["status"] == progress
    saga = SagaInstance.objects.get()
    assert (saga.status, saga.wake_at is None) == ("COMPENSATION_STARTED", False)
    assert money_kept(bought) == 2200
    for _ in range(5):
        run_worker()
    assert "The parcel was shipped" in SagaInstance.objects.get().attention
    if progress == Progress.SHIPPED:
        assert carrier.report(bought, "delivered").status_code == 204
    assert parcel()["status"] == "delivered"


def test_a_report_during_the_cancellation_of_the_parcel_is_sent_again_later(api, bought, parcel, monkeypatch):
    reports = []
    cancel = MockCarrier.cancel

    def report_then_cancel(self, key, *, arrange_key):
        reports.append(carrier.report(bought, "shipped").json()["code"])
        return cancel(self, key, arrange_key=arrange_key)

    monkeypatch.setattr(MockCarrier, "cancel", report_then_cancel)
    assert api.post(f"/orders/{bought}/cancel").status_code == 200
    assert reports == ["saga_running"] and parcel()["status"] == "cancelled"


def test_a_report_waits_for_the_lock_of_the_saga(bought, parcel):
    """A cancellation that is about to commit is not overlooked."""
    is_locked, is_reported = Event(), Event()

    @durable
    def hold_lock():
        lock_saga(UUID(bought))
        is_locked.set()
        return is_reported.wait(0.5)

    def report():
        assert is_locked.wait(TIMEOUT)
        status = carrier.report(bought, "shipped").status_code
        is_reported.set()
        return status

    assert all_at_once([hold_lock, report]) == [False, 204]
    assert parcel()["status"] == "shipped"


def test_a_direct_cancellation_that_the_carrier_refuses_ends_when_the_parcel_is_shipped(operator):
    desk, order_id = signed_in(operator), str(new_id())
    desk.post("/shipping/arrange", {"order_id": order_id, "shipping_address": "150-0001"})
    carrier.collect(order_id)
    assert desk.post("/shipping/cancel", {"order_id": order_id}).status_code == 202
    run_worker()
    response = desk.post("/shipping/cancel", {"order_id": order_id})
    assert (response.status_code, response.json()["code"]) == (409, "already_shipped")
    assert desk.get(f"/shipping/{order_id}").json()["status"] == "shipped"


# --- The parcel of an order -----------------------------------------------------------------------


def test_an_order_shows_its_parcel(api, bought, parcel):
    for progress in Progress:
        carrier.report(bought, progress)
    shown = api.get(f"/orders/{bought}").json()["parcel"]
    assert shown == {name: parcel()[name] for name in shown}
    assert list(shown) == ["status", "carrier", "tracking_number", "shipped_at", "delivered_at"]
    assert api.get("/orders").json()["results"][0]["parcel"] == shown


def test_a_page_of_orders_reads_its_parcels_in_one_query(api, place, shelve, django_assert_num_queries):
    shelve("book-123", 50)
    place(("book-123", 1))
    with CaptureQueriesContext(connection) as one:
        assert len(api.get("/orders").json()["results"]) == 1
    queries = len(one)
    for _ in range(3):
        place(("book-123", 1))
    api.post("/orders", {})
    with django_assert_num_queries(queries + 1):
        results = api.get("/orders").json()["results"]
    assert [order["parcel"] and order["parcel"]["status"] for order in results] == [None, *["arranged"] * 4]
