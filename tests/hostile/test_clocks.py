"""Machines whose clocks are 25 hours wrong: the database's clock decides, and no order, reservation or key is lost."""

import os
import sys
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command

from cloudmart.api.claims import purge_keys
from cloudmart.database.clock import database_now
from cloudmart.kernel.ids import new_id
from cloudmart.models import IdempotencyKey
from inventory.errors import OutOfStock, ReservationExpired
from inventory.models import InventoryView, Reservation, StockEvent
from inventory.projector import lag
from inventory.selectors import count_live_reservations
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.desk.engine import engine
from sagas.engine.recovery import due
from sagas.models import SagaInstance
from sagas.operations.backlog import lag_seconds
from tests.bookkeeping import findings
from tests.clock import application_clock
from tests.committed import confirm_stock, expire_reservations, let_reservations_expire, reserve_stock
from tests.conftest import available, order_snapshot
from tests.known_bugs import known_bug
from tests.processes import database_url, run_python

AHEAD, BEHIND = timedelta(hours=25), timedelta(hours=-25)
A_WHILE = timedelta(minutes=5)
"""Longer than a test takes, and much less than the error of the clocks."""

BODY = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
MANAGE = """
import sys
from datetime import timedelta
from django.core.management import execute_from_command_line
from tests.clock import application_clock
with application_clock(timedelta(hours=int(sys.argv[1]))):
    execute_from_command_line(["manage.py", *sys.argv[2:]])
"""

wrong_clocks = pytest.mark.parametrize("skew", [AHEAD, BEHIND], ids=["ahead", "behind"])


class Killed(BaseException):
    """The process of the driver is killed."""


@pytest.fixture
def place(api, shelve):
    """Orders one of five copies; every call sends the same request with the same idempotency key."""
    shelve("book-123", 5)
    return lambda: api.post("/orders", BODY, headers={"Idempotency-Key": "key-1"})


@pytest.fixture
def unfinished(monkeypatch):
    """Creates a saga whose driver died during a provider call, and whose lease has not expired."""

    def die(*args, **kwargs):
        raise Killed

    def unfinished(style):
        order = order_snapshot(("book-123", 1), style=style)
        with monkeypatch.context() as dying, suppress(Killed):
            dying.setattr(MockGateway, "charge", die)
            engine.start(order)
        return SagaInstance.objects.get(order_id=order.order_id)

    return unfinished


def work_here(skew):
    with application_clock(skew):
        call_command("run_worker", "--once")


def work_elsewhere(skew):
    hours = str(int(skew.total_seconds()) // 3600)
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "cloudmart.settings", "DATABASE_URL": database_url()}
    sys.stdout.write(run_python("-c", MANAGE, hours, "run_worker", "--once", env=env).stdout)


def is_now(moment):
    return abs(moment - database_now()) < A_WHILE


@known_bug("occurrent#662")
@wrong_clocks
@pytest.mark.parametrize("work", [work_here, work_elsewhere])
def test_a_worker_with_a_wrong_clock_touches_nothing_unexpired(place, unfinished, skew, work):
    response = place()
    held = order_snapshot(("book-123", 1))
    reserve_stock(held)
    sagas = [unfinished(style) for style in SagaStyle]
    work(skew)
    for saga in sagas:
        now = SagaInstance.objects.get(pk=saga.pk)
        assert (now.fence, now.owner, now.lease_until) == (saga.fence, saga.owner, saga.lease_until)
    assert set(Reservation.objects.exclude(order_id=response.json()["order_id"]).values_list("status")) == {
        ("active",)
    }
    assert available("book-123") == 1
    again = place()
    assert again.status_code == 201 and again["Idempotent-Replayed"] == "true"
    assert again.json()["order_id"] == response.json()["order_id"]
    confirm_stock(held)


@wrong_clocks
@pytest.mark.parametrize("work", [work_here, work_elsewhere])
def test_a_worker_with_a_wrong_clock_does_what_is_due_and_writes_correct_times(place, skew, work):
    place()
    reserve_stock(order_snapshot(("book-123", 1)))
    let_reservations_expire()
    IdempotencyKey.objects.update(expires_at=database_now() - timedelta(seconds=1))
    work(skew)
    assert not Reservation.objects.filter(status="active").exists() and not IdempotencyKey.objects.exists()
    assert all(is_now(moment) for moment in StockEvent.objects.values_list("happened_at", flat=True))
    assert all(is_now(moment) for moment in Reservation.objects.values_list("updated_at", flat=True))
    assert is_now(InventoryView.objects.get().changed_at)


@wrong_clocks
@pytest.mark.parametrize("style", SagaStyle)
def test_a_server_with_a_wrong_clock_writes_correct_times(api, place, skew, style):
    with application_clock(skew):
        body = {**BODY, "saga": style}
        response = api.post("/orders", body, headers={"Idempotency-Key": "key-2"})
        draft = api.post("/orders", {}).json()["order_id"]
        api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 1})
    assert all(is_now(moment) for moment in Order.objects.values_list("created_at", flat=True))
    assert is_now(Order.objects.get(pk=draft).updated_at)
    assert all(is_now(moment) for moment in StockEvent.objects.values_list("happened_at", flat=True))
    for hold in Reservation.objects.all():
        assert is_now(hold.held_since) and is_now(hold.expires_at - settings.RESERVATION_TTL)
    for moments in Payment.objects.values_list("created_at", "updated_at"):
        assert all(map(is_now, moments))
    saga = SagaInstance.objects.get()
    assert is_now(saga.updated_at) and is_now(saga.deadline_at - settings.SAGA_DEADLINE)
    key = IdempotencyKey.objects.get()
    assert is_now(key.created_at) and is_now(key.expires_at - settings.IDEMPOTENCY_KEY_TTL)
    assert purge_keys(10) == 0 and expire_reservations(10) is None and due(10) == []
    again = api.post("/orders", body, headers={"Idempotency-Key": "key-2"})
    assert again["Idempotent-Replayed"] == "true" and again.json()["order_id"] == response.json()["order_id"]


def test_a_server_whose_clock_is_ahead_expires_no_reservation(place):
    held = order_snapshot(("book-123", 5))
    reserve_stock(held)
    with application_clock(AHEAD):
        assert place().json()["code"] == "out_of_stock"
        with pytest.raises(OutOfStock):
            reserve_stock(order_snapshot(("book-123", 1)))
        assert count_live_reservations() == (1, 5) and available("book-123") == 0
        confirm_stock(held)


def test_a_server_whose_clock_is_behind_confirms_no_expired_reservation(place):
    held = order_snapshot(("book-123", 5))
    reserve_stock(held)
    let_reservations_expire()
    with application_clock(BEHIND):
        with pytest.raises(ReservationExpired):
            confirm_stock(held)
        assert count_live_reservations() == (0, 0) and available("book-123") == 5
        assert place().status_code == 201


@wrong_clocks
def test_a_repeat_at_a_server_with_a_wrong_clock_places_no_second_order(place, skew):
    response = place()
    with application_clock(skew):
        again = place()
    assert again["Idempotent-Replayed"] == "true" and again.json()["order_id"] == response.json()["order_id"]
    assert Order.objects.count() == 1


def test_a_server_whose_clock_is_ahead_does_not_repeat_a_running_command(api, place):
    path, key = f"/orders/{place().json()['order_id']}/cancel", {"Idempotency-Key": "key-2"}
    api.post(path, headers=key)
    unfinished_key = IdempotencyKey.objects.filter(order_id=None)
    unfinished_key.update(status_code=None, body="")
    with application_clock(AHEAD):
        assert api.post(path, headers=key).json()["code"] == "idempotency_key_in_use"
    unfinished_key.update(created_at=database_now() - A_WHILE)
    with application_clock(BEHIND):
        assert api.post(path, headers=key).status_code == 200


@wrong_clocks
def test_lag_is_measured_by_the_databases_clock(place, unfinished, skew):
    place()
    SagaInstance.objects.filter(pk=unfinished(SagaStyle.CHOREOGRAPHY).pk).update(
        lease_until=database_now() - timedelta(seconds=90)
    )
    with application_clock(skew):
        assert 90 <= lag_seconds() < 90 + A_WHILE.total_seconds()
        assert 0 <= lag()["seconds"] < A_WHILE.total_seconds()
        assert findings() == {}


def test_a_time_written_by_the_database_equals_the_same_time_from_django(transactional_db):
    saga = SagaInstance.objects.create(saga_type="orchestration", order_id=new_id(), payload={})
    saga.refresh_from_db()
    assert SagaInstance.objects.filter(updated_at=saga.updated_at).exists()
    assert not SagaInstance.objects.filter(updated_at__lt=saga.updated_at).exists()
