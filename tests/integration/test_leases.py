"""The lease: one driver at a time drives a saga, in both styles; what a dead driver leaves, another continues."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import OutcomeUnknown, Refused, Unknown
from inventory.models import InventoryRecord
from orders.models import Order, SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.engine.engine import STYLES
from sagas.engine.lease import acquire
from sagas.engine.recovery import due
from sagas.models import Event, EventReceipt, SagaInstance
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier
from tests.bookkeeping import findings
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug

CHOREOGRAPHY = pytest.mark.parametrize("style", [SagaStyle.CHOREOGRAPHY], ids=str, indirect=True)
NO_ROUTE = {"address": Address("999-9999")}
CALLS = {
    "charge": (MockGateway, {}, "completed"),
    "arrange": (MockCarrier, {}, "completed"),
    "refund": (MockGateway, NO_ROUTE, "cancelled"),
}
"""Provider calls: the adapter, what makes an order need the call, and the order's final status."""


class Killed(BaseException):
    """The driver's process is killed: no `except` in the product catches this."""


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture
def order(customer, shelve, style):
    """Returns a function that returns an order of one copy. Five are in stock."""
    shelve("book-123", 5)
    return lambda **changes: order_snapshot(("book-123", 1), style=style, **changes)


@pytest.fixture
def during(monkeypatch):
    """Has the first call of a provider's method do something else first."""

    def during(provider, method, act):
        original = getattr(provider, method)

        def call(self, key, **kwargs):
            monkeypatch.setattr(provider, method, original)
            act()
            return original(self, key, **kwargs)

        monkeypatch.setattr(provider, method, call)

    return during


def after_last_transaction(monkeypatch, style, act):
    """Does something else just after the transaction that finishes a saga of this style has committed."""
    style_class = STYLES[style]
    advance = style_class.advance

    def advance_and_act(self, settled=None):
        call = advance(self, settled)
        if call is None:
            monkeypatch.setattr(style_class, "advance", advance)
            act()
        return call

    monkeypatch.setattr(style_class, "advance", advance_and_act)


def unresponsive(self, key, **kwargs):
    raise OutcomeUnknown("no response")


def die():
    raise Killed


def start(order):
    """Starts a saga. Returns it as it is stored when its driver has stopped or was killed."""
    with suppress(Killed):
        engine.start(order)
    return SagaInstance.objects.get(order_id=order.order_id)


def expire_leases():
    SagaInstance.objects.exclude(lease_until=None).update(lease_until=DatabaseNow() - timedelta(seconds=1))


def make_due():
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())


def work():
    call_command("run_worker", once=True)


def assert_finished(order, status="completed"):
    """Asserts that the order has this final status, that each call was made once, and that the audit finds nothing."""
    saga = SagaInstance.objects.get(order_id=order.order_id)
    assert Order.objects.get(pk=order.order_id).status == status
    assert saga.is_finished and (saga.owner, saga.lease_until, saga.wake_at, saga.attention) == ("", None, None, None)
    for diary in (gateway().diary, carrier().diary):
        assert all(len({key for method, key in diary if method == done}) <= 1 for done, _ in diary), "one key per call"
    assert Payment.objects.count() == 1
    assert InventoryRecord.objects.get().on_hand == (4 if status == "completed" else 5)
    assert findings() == {}
    assert due(10) == []


def test_the_database_clock_is_utc_in_any_session_time_zone(transactional_db):
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+09:00'")
    saga = SagaInstance.objects.create(saga_type="orchestration", order_id=order_snapshot().order_id, payload={})
    SagaInstance.objects.update(wake_at=DatabaseNow(), lease_until=DatabaseNow() + timedelta(hours=1, microseconds=1))
    saga.refresh_from_db()
    assert abs(saga.wake_at - timezone.now()) < timedelta(minutes=1)
    assert timedelta(hours=1) <= saga.lease_until - saga.wake_at < timedelta(hours=1, minutes=1)
    assert SagaInstance.objects.filter(wake_at__lte=DatabaseNow(), lease_until__gt=DatabaseNow()).exists()
    connection.close()


def test_a_saga_is_leased_only_while_it_is_driven(order, during, settings):
    seen = []
    during(MockCarrier, "arrange", lambda: seen.append(SagaInstance.objects.get()))
    placed = order()
    start(placed)
    (saga,) = seen
    assert saga.fence == 1 and saga.owner and saga.lease_until > timezone.now()
    assert_finished(placed)


@known_bug("dbos-transact-java#491", "dbos-transact-py#805")
@pytest.mark.parametrize("method", CALLS)
def test_a_worker_finishes_the_saga_of_a_killed_driver(order, during, method):
    provider, changes, end = CALLS[method]
    during(provider, method, die)
    placed = order(**changes)
    left = start(placed)
    assert not left.is_finished
    work()
    assert SagaInstance.objects.get().updated_at == left.updated_at, "its lease has not expired"
    expire_leases()
    work()
    assert_finished(placed, end)
    assert SagaInstance.objects.get().fence == 2


@pytest.mark.parametrize("method", CALLS)
def test_a_driver_that_loses_its_lease_during_a_call_changes_nothing(order, during, method):
    provider, changes, end = CALLS[method]
    seen = []

    def lose_lease():
        expire_leases()
        work()
        seen.append(state())

    during(provider, method, lose_lease)
    placed = order(**changes)
    start(placed)
    assert seen == [state()]
    assert_finished(placed, end)


@pytest.mark.parametrize("method", CALLS)
def test_a_saga_whose_call_takes_longer_than_its_lease_is_finished(order, monkeypatch, settings, method):
    """The lease doubles. Otherwise two workers would acquire it from each other without end."""
    settings.LEASE = timedelta(minutes=1)
    provider, changes, end = CALLS[method]
    original, calls = getattr(provider, method), []

    def call(self, key, **kwargs):
        calls.append(key)
        assert len(calls) < 5, "no driver finishes the saga"
        SagaInstance.objects.update(lease_until=F("lease_until") - timedelta(minutes=3))
        work()
        return original(self, key, **kwargs)

    monkeypatch.setattr(provider, method, call)
    placed = order(**changes)
    start(placed)
    assert_finished(placed, end)
    assert len(calls) == 3 and len(set(calls)) == 1


def test_a_cancellation_requested_during_a_call_without_response_is_not_delayed_by_the_backoff(
    order, monkeypatch, settings
):
    settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(hours=1)
    placed = order()

    def request_cancellation(self, key, **kwargs):
        cancel_order(placed.order_id, "Changed my mind.")
        unresponsive(self, key, **kwargs)

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", request_cancellation)
        waiting = start(placed)
    assert due(10) == [waiting]
    work()
    assert_finished(placed, "cancelled")


@known_bug("medusa PR#15527")
def test_a_driver_that_lost_its_lease_and_is_refused_undoes_nothing(order, monkeypatch):
    """The charge of the other driver stays."""
    charge, seen = MockGateway.charge, []

    def lose_lease(self, key, **kwargs):
        monkeypatch.setattr(MockGateway, "charge", charge)
        expire_leases()
        work()
        seen.append(state())
        return Refused(PaymentDeclined("too late", reason="late"))

    monkeypatch.setattr(MockGateway, "charge", lose_lease)
    placed = order()
    start(placed)
    assert seen == [state()]
    assert_finished(placed)


@pytest.mark.parametrize("is_silent", [False, True], ids=["response", "no response"])
def test_a_driver_that_lost_its_lease_neither_writes_nor_calls_again(order, during, is_silent):
    """The other driver is still at work."""
    seen = []

    def lose_lease():
        expire_leases()
        assert acquire(SagaInstance.objects.get())
        seen.append(state())
        if is_silent:
            raise OutcomeUnknown("no response")

    during(MockGateway, "charge", lose_lease)
    start(order())
    assert seen == [state()]
    assert [method for method, _ in gateway().diary] == ([] if is_silent else ["charge"])


def test_a_driver_that_lost_its_lease_does_not_look_the_outcome_up(order, monkeypatch, settings):
    def call(self, key, **kwargs):
        calls.append(key)
        if len(calls) == settings.PROVIDER_TRIES:
            expire_leases()
            assert acquire(SagaInstance.objects.get())
        raise OutcomeUnknown("no response")

    def look_up(self, key):
        calls.append("lookup")

    calls = []
    monkeypatch.setattr(MockGateway, "charge", call)
    monkeypatch.setattr(MockGateway, "lookup", look_up)
    start(order())
    assert len(calls) == settings.PROVIDER_TRIES and "lookup" not in calls


def test_every_step_and_every_attempt_extends_the_lease(order, during):
    ends = []

    def shorten_lease():
        ends.append(SagaInstance.objects.get().lease_until)
        SagaInstance.objects.update(lease_until=DatabaseNow() + timedelta(seconds=1))

    def shorten_lease_and_fail():
        shorten_lease()
        raise OutcomeUnknown("no response")

    during(MockCarrier, "arrange", shorten_lease)
    during(MockGateway, "charge", shorten_lease)
    during(MockGateway, "charge", shorten_lease_and_fail)
    placed = order()
    start(placed)
    assert len(ends) == 3 and min(ends) > timezone.now() + timedelta(seconds=5)
    assert_finished(placed)


def state():
    """Returns everything that a driver writes."""
    tables = (SagaInstance, Order, Payment, Event)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@known_bug("SQL: no SKIP LOCKED")
def test_one_of_several_drivers_acquires_the_lease(order, during):
    during(MockGateway, "charge", die)
    start(order())
    expire_leases()
    acquired = all_at_once([lambda: acquire(SagaInstance.objects.get()) for _ in range(8)])
    assert sorted(acquired) == [False] * 7 + [True]
    assert SagaInstance.objects.get().fence == 2


@known_bug("restate#5196")
def test_a_waiting_saga_is_resumed_only_once_it_is_due(order, monkeypatch):
    placed = order()
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", unresponsive)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("unknown"))
        waiting = start(placed)
    assert waiting.wake_at and (waiting.owner, waiting.lease_until) == ("", None)
    assert due(10) == [] and not engine.recover(waiting)
    make_due()
    assert due(10) == [waiting]
    call_command("resume_sagas")
    assert_finished(placed)


def test_failed_attempts_and_attention_are_reset_when_the_saga_advances(order, during):
    """It has waited for its payment, and now it waits for its parcel."""
    during(MockGateway, "charge", die)
    start(order())
    expire_leases()
    SagaInstance.objects.update(attempts=7, attention="Look here.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockCarrier, "arrange", unresponsive)
        work()
    saga = SagaInstance.objects.get()
    assert (saga.status, saga.attempts, saga.attention) == ("PAYMENT_COMPLETED", 1, None)


@known_bug("dbos-transact-py#742", "NServiceBus#2515")
@pytest.mark.parametrize("meanwhile", ["finished", "leased", "waiting"])
def test_a_worker_with_an_outdated_list_of_due_sagas_changes_nothing(order, during, meanwhile):
    during(MockGateway, "charge", die)
    placed = order()
    start(placed)
    expire_leases()
    (saga,) = due(10)
    with pytest.MonkeyPatch.context() as patch:
        if meanwhile == "waiting":
            patch.setattr(MockGateway, "charge", unresponsive)
            patch.setattr(MockGateway, "lookup", lambda self, key: Unknown("unknown"))
        act = acquire if meanwhile == "leased" else engine.recover
        assert act(SagaInstance.objects.get())
    before, calls = state(), len(gateway().diary)
    assert not engine.recover(saga)
    assert (state(), len(gateway().diary)) == (before, calls)
    expire_leases()
    make_due()
    work()
    assert_finished(placed)


@known_bug("dbos-transact-py#260")
def test_a_worker_finishes_the_saga_of_a_driver_killed_between_two_attempts(order, during):
    def fail():
        raise OutcomeUnknown("no response")

    during(MockGateway, "charge", die)
    during(MockGateway, "charge", fail)
    placed = order()
    start(placed)
    expire_leases()
    work()
    assert_finished(placed)


@known_bug("skill-temporal-developer PR#43")
def test_a_charge_that_a_killed_driver_has_not_recorded_is_undone(order, monkeypatch):
    def charge_and_die(self, key, **kwargs):
        charge(self, key, **kwargs)
        die()

    charge = MockGateway.charge
    placed = order()
    with monkeypatch.context() as dying:
        dying.setattr(MockGateway, "charge", charge_and_die)
        start(placed)
    cancel_order(placed.order_id, "Changed my mind.")
    expire_leases()
    work()
    assert [method for method, _ in gateway().diary] == ["charge", "cancel"]
    assert Payment.objects.get().status == "cancelled"
    assert_finished(placed, "cancelled")


def test_the_sagas_that_have_been_due_longest_come_first(order):
    for _ in range(3):
        start(order())
    sagas = SagaInstance.objects.order_by("pk")
    for minutes, saga in zip((1, 3, 2), sagas, strict=True):
        long_ago = DatabaseNow() - timedelta(minutes=minutes)
        SagaInstance.objects.filter(pk=saga.pk).update(status="STARTED", wake_at=long_ago)
    assert due(2) == [sagas[1], sagas[2]]


def test_an_undelivered_event_of_a_finished_saga_is_delivered(order, style):
    placed = order()
    start(placed)
    if style == SagaStyle.CHOREOGRAPHY:
        Event.objects.filter(event_type="StockConfirmed").update(delivered_at=None)
        assert [saga.order_id for saga in due(10)] == [placed.order_id]
    work()
    assert_finished(placed)
    assert not Event.objects.filter(delivered_at=None).exists()


def test_the_cancellation_of_a_completed_order_acquires_the_lease(order, during):
    placed = order()
    start(placed)
    during(MockGateway, "refund", die)
    with pytest.raises(Killed):
        cancel_order(placed.order_id, "Changed my mind.")
    saga = SagaInstance.objects.get()
    assert saga.fence == 2 and saga.lease_until > timezone.now() and not engine.recover(saga)
    expire_leases()
    work()
    assert_finished(placed, "cancelled")


# --- The last transaction ---------------------------------------------------------------------------


@known_bug("MassTransit#4990")
def test_a_cancellation_requested_during_the_last_call_undoes_the_order(order, during):
    placed = order()
    during(MockCarrier, "arrange", lambda: cancel_order(placed.order_id, "Just in time."))
    assert start(placed).status == "FAILED"
    assert_finished(placed, "cancelled")


def test_a_cancellation_after_the_last_transaction_cancels_the_completed_order(order, monkeypatch, style):
    placed, statuses = order(), []

    def cancel():
        statuses.append(Order.objects.get().status)
        cancel_order(placed.order_id, "Just too late.")

    after_last_transaction(monkeypatch, style, cancel)
    assert start(placed).status == "FAILED"
    assert statuses == ["completed"]
    assert_finished(placed, "cancelled")


def test_a_driver_that_loses_its_lease_during_the_last_call_leaves_the_rest_to_the_other(order, during):
    seen = []

    def lose_lease():
        expire_leases()
        assert acquire(SagaInstance.objects.get())
        seen.append(state())

    during(MockCarrier, "arrange", lose_lease)
    placed = order()
    start(placed)
    assert seen == [state()]
    expire_leases()
    work()
    assert_finished(placed)


def test_a_driver_killed_after_the_last_transaction_leaves_nothing_to_do(order, monkeypatch, style):
    placed = order()
    with monkeypatch.context() as dying:
        after_last_transaction(dying, style, die)
        start(placed)
    assert_finished(placed)
    assert not Event.objects.filter(delivered_at=None).exists()


@CHOREOGRAPHY
def test_delivered_events_are_not_delivered_again_after_a_crash(order, during):
    during(MockCarrier, "arrange", die)
    placed = order()
    start(placed)
    before = receipts()
    expire_leases()
    work()
    assert before and before == receipts()[: len(before)]
    assert Event.objects.count() == 6
    assert_finished(placed)


@known_bug("docs.particular.net#1816")
@CHOREOGRAPHY
def test_processed_events_that_are_not_marked_as_delivered_are_delivered_again_to_no_effect(order, lines):
    placed = order()
    start(placed)
    before = receipts(), provider_calls()
    undelivered = Event.objects.filter(delivered_at=None)
    assert Event.objects.exclude(receipts=None).distinct().count() == 5, "all that any reaction is connected to"
    Event.objects.update(delivered_at=None)
    work()
    assert not undelivered.exists() and Event.objects.count() == 6
    assert (receipts(), provider_calls()) == before
    assert not [line for line in lines() if line["logger"] == "sagas.choreography.delivery"], "no reaction runs again"
    assert_finished(placed)


def receipts():
    return list(EventReceipt.objects.order_by("pk").values())


def provider_calls():
    return [*gateway().diary, *carrier().diary]


@CHOREOGRAPHY
def test_an_unfinished_saga_whose_events_are_all_delivered_is_reported_and_waits(order, lines):
    placed = order()
    start(placed)
    SagaInstance.objects.update(status="STOCK_RESERVED")
    work()
    saga = SagaInstance.objects.get()
    assert saga.wake_at and saga.attempts == 1 and due(1) == []
    assert any("SagaStuck" in line.get("exception", "") for line in lines())
