"""The worker: it drives on what was left, several at once, and nothing stops it but being told to."""

import os
import signal
from contextlib import suppress
from datetime import timedelta
from threading import main_thread

import pytest
from django.conf import settings as configured
from django.core.management import CommandError
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database import transactions
from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.stopping import never
from cloudmart.models import IdempotencyKey
from cloudmart.periodic import STOP_SIGNALS, PeriodicTask, run_until_stopped
from cloudmart.sandbox.ledger import entries_in
from inventory.models import InventoryView, Reservation
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk.cancelling import cancel_order
from sagas.desk.placing import START
from sagas.engine import recovery
from sagas.engine.lease import pause_after
from sagas.engine.recovery import due, recover
from sagas.management.commands import run_worker
from sagas.models import Event, SagaInstance, SagaStepLog
from sagas.operations.audit.audit import INVARIANTS
from tests.committed import reserve_stock
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY, order_snapshot
from tests.integration.test_leases import Killed, die, let_lease_run_out, start, state, wake, work
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, running_command, wait_until

STYLES = pytest.mark.parametrize("style", SagaStyle)


@pytest.fixture(autouse=True)
def shop(customer, shelve):
    shelve("book-123", 100)


def findings():
    """What is wrong with our books; the sandbox has seen other tests' orders too."""
    return [finding for invariant in INVARIANTS if not (finding := invariant.check(5)).holds]


def abandon(style, **changes):
    """The id of an order whose driver was killed as it was about to charge; its lease has run out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gateway()), "charge", lambda *args, **kwargs: die())
        saga = start(order_snapshot(("book-123", 1), style=style, **changes))
    let_lease_run_out()
    return saga.order_id


def statuses():
    return set(Order.objects.values_list("status", flat=True))


# --- What fails -----------------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch):
    """A token on which the gateway's adapter breaks, in a way that nobody foresaw."""
    charge = MockGateway.charge

    def call(self, key, token, **rest):
        if token == "tok_poison":
            raise RuntimeError("poison")
        return charge(self, key, token=token, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(MockGateway, "charge", call)
        yield patch


@known_bug("dbos-transact-py#805", "MassTransit PR#6216")
@STYLES
def test_a_poisonous_saga_holds_up_itself_only(style, poison, settings, lines):
    poisoned = [abandon(style, payment_token="tok_poison") for _ in range(2)]
    good = [abandon(style) for _ in range(3)]
    work()
    assert dict(Order.objects.values_list("pk", "status")) == {
        **dict.fromkeys(poisoned, "pending"),
        **dict.fromkeys(good, "completed"),
    }
    for saga in SagaInstance.objects.filter(order_id__in=poisoned):
        assert saga.wake_at > saga.updated_at and (saga.owner, saga.lease_until, saga.attention) == ("", None, None)
    assert due(10) == []
    broken = [line for line in lines() if "RuntimeError: poison" in line.get("exception", "")]
    assert {line["level"] for line in broken} == {"error"}


@STYLES
def test_a_person_is_called_after_a_number_of_tries_and_the_tries_go_on(style, poison, settings):
    settings.ATTENTION_AFTER = 3
    abandon(style, payment_token="tok_poison")
    called = []
    for _ in range(4):
        wake()
        work()
        saga = SagaInstance.objects.get()
        called.append(saga.attention)
    first = saga.attempts - 3
    assert [bool(why) for why in called] == [first + number >= 3 for number in range(4)]
    assert "RuntimeError" in called[-1] and "poison" not in called[-1], "clients see it too"
    assert findings() == [], "it waits, so it goes on"
    poison.undo()
    wake()
    work()
    saga.refresh_from_db()
    assert (saga.status, saga.attention, saga.attempts) == ("COMPLETED", None, 0)


@STYLES
def test_a_saga_whose_drivers_die_calls_a_person_too(style, settings):
    settings.ATTENTION_AFTER = 2
    order_id = abandon(style)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockGateway, "charge", lambda *args, **kwargs: die())
        for attempts, is_noticed in (1, False), (2, True):
            with pytest.raises(Killed):
                recover(SagaInstance.objects.get())
            saga = SagaInstance.objects.get()
            assert (saga.attempts, bool(saga.attention)) == (attempts, is_noticed)
            let_lease_run_out()
    work()
    assert Order.objects.get(pk=order_id).status == "completed"
    assert SagaInstance.objects.get().attention is None


def test_a_poisonous_saga_pauses_though_its_cancellation_is_wished(monkeypatch):
    def burst(*args):
        raise RuntimeError("poison")

    order_id = abandon(SagaStyle.ORCHESTRATION)
    cancel_order(order_id, "Changed my mind.")
    monkeypatch.setitem(recovery.RESUME, SagaStyle.ORCHESTRATION, burst)
    recover(SagaInstance.objects.get())
    saga = SagaInstance.objects.get()
    assert saga.wake_at > saga.updated_at and due(10) == []


@STYLES
def test_who_only_did_not_hear_of_the_end_has_it_wait_for_nothing(style, monkeypatch):
    resume = recovery.RESUME[style]

    def lose_the_answer(saga, should_stop):
        resume(saga, should_stop)
        raise OperationalError(2013, "lost the connection")

    monkeypatch.setitem(recovery.RESUME, style, lose_the_answer)
    abandon(style)
    work()
    saga = SagaInstance.objects.get()
    assert (saga.status, saga.wake_at, saga.attempts, saga.attention) == ("COMPLETED", None, 0, None)


def test_the_waits_double_up_to_a_limit_and_never_vanish(settings):
    settings.SAGA_BACKOFF, settings.SAGA_MAX_BACKOFF = timedelta(seconds=2), timedelta(seconds=300)
    for tries, longest in (1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (10_000, 300):
        pauses = [pause_after(tries).total_seconds() for _ in range(200)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


@known_bug("dbos-transact-py#716")
@STYLES
@pytest.mark.parametrize("when", ["claiming", "driving", "giving up"])
def test_a_database_that_goes_away_during_recovery_strands_nobody(style, when, monkeypatch):
    """However it goes away for one of them: they are all there when it is back."""
    where = {
        "claiming": (recovery, "claim"),
        "driving": (MockGateway, "charge"),
        "giving up": (recovery, "wait"),
    }

    def go_away(*args, **kwargs):
        raise OperationalError(2006, "gone away")

    for _ in range(3):
        abandon(style)
    with monkeypatch.context() as away:
        away.setattr(transactions, "LONGEST_PAUSE", 0)
        away.setattr(*where[when], go_away)
        if when == "giving up":
            away.setattr(MockGateway, "charge", go_away)
        PeriodicTask("sagas", run_worker.recover_all, 0).run()
    assert statuses() == {"pending"}
    let_lease_run_out()
    wake()
    work()
    assert statuses() == {"completed"}
    assert findings() == []


# --- Several at once ------------------------------------------------------------------------------


@known_bug("dbos-transact-py#742")
@STYLES
def test_several_workers_drive_each_saga_once(style):
    for _ in range(12):
        abandon(style)
    driven = all_at_once([lambda: run_worker.recover_all(never)] * 4)
    assert sum(driven) == 12
    assert set(SagaInstance.objects.values_list("status", "fence")) == {("COMPLETED", 2)}
    charges = [key for verb, key in gateway().diary if verb == "charge"]
    assert len(charges) == len(set(charges)) == 12
    assert findings() == []


@known_bug("dbos-transact-ts#1205")
@STYLES
def test_two_workers_and_the_request_want_the_same_saga(style, monkeypatch):
    charge = MockGateway.charge
    driven = []

    def call(self, key, **rest):
        monkeypatch.setattr(MockGateway, "charge", charge)
        let_lease_run_out()
        driven.extend(all_at_once([lambda: recover(SagaInstance.objects.get())] * 3))
        return charge(self, key, **rest)

    monkeypatch.setattr(MockGateway, "charge", call)
    saga = START[style](order_snapshot(("book-123", 1), style=style), "")
    assert sorted(driven) == [False, False, True]
    assert saga.status == "COMPLETED", "who was overtaken tells what the other has made of it"
    assert len(SagaStepLog.objects.filter(step="complete_order")) == (style == SagaStyle.ORCHESTRATION)
    assert findings() == []


# --- Processes ------------------------------------------------------------------------------------


@pytest.fixture
def worker(outside):
    """Starts manage.py run_worker, with a lease of a second, on the sandbox or on a troublesome adapter for it."""

    def worker(*arguments, payment_gateway=HTTP_GATEWAY, **env):
        return running_command(
            "run_worker",
            *arguments,
            LEASE="1",
            LOG_STREAM="stdout",
            PAYMENT_GATEWAY=payment_gateway,
            PAYMENT_GATEWAY_URL=configured.PAYMENT_GATEWAY_URL,
            CARRIER=HTTP_CARRIER,
            CARRIER_URL=configured.CARRIER_URL,
            **env,
        )

    return worker


def wait_until_stopped(process):
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


def booked(sandbox, order_id):
    return [entry.kind for entry in entries_in(sandbox.ledger, order_id=order_id)]


@STYLES
def test_a_worker_that_slept_past_its_lease_has_no_effect_when_it_wakes(style, worker, outside):
    order_id = abandon(style)
    with worker("--once", payment_gateway="tests.gateways.Stopping") as sleeper:
        wait_until_stopped(sleeper)
        wait_until(lambda: due(1) != [])
        with worker("--once") as other:
            assert other.wait(timeout=TIMEOUT) == 0
        assert statuses() == {"completed"}
        before = state()
        sleeper.send_signal(signal.SIGCONT)
        said, _ = sleeper.communicate(timeout=TIMEOUT)
    assert sleeper.returncode == 0 and "overtaken" in said
    assert state() == before and SagaInstance.objects.get().fence == 3
    assert booked(outside, order_id) == ["charge", "parcel"]
    assert findings() == []


@known_bug("dbos-transact-golang#174")
@STYLES
@pytest.mark.parametrize("when", ["Before", "After"])
def test_a_worker_that_is_killed_in_mid_call_is_followed_by_another(style, when, worker, outside):
    order_id = abandon(style)
    with worker("--once", payment_gateway=f"tests.gateways.Killing{when}") as killed:
        assert killed.wait(timeout=TIMEOUT) == -signal.SIGKILL
    wait_until(lambda: due(1) != [])
    with worker("--once") as other:
        assert other.wait(timeout=TIMEOUT) == 0
    assert statuses() == {"completed"}
    assert booked(outside, order_id) == ["charge", "parcel"]
    assert findings() == []


@STYLES
def test_a_worker_that_is_told_to_stop_finishes_its_step_and_leaves(style, worker, outside):
    order_ids = [abandon(style) for _ in range(2)]
    with worker("--threads", "1", payment_gateway="tests.gateways.Stopping") as leaving:
        wait_until_stopped(leaving)
        leaving.send_signal(signal.SIGTERM)
        leaving.send_signal(signal.SIGCONT)
        assert leaving.wait(timeout=TIMEOUT) == 0
    left = SagaInstance.objects.get(fence=2)
    assert left.status == "PAYMENT_COMPLETED" and (left.owner, left.lease_until) == ("", None)
    assert booked(outside, left.order_id) == ["charge"]
    assert left in due(2), "anybody may take it up at once"
    work()
    assert statuses() == {"completed"}
    assert [booked(outside, order_id) for order_id in order_ids] == [["charge", "parcel"]] * 2


@known_bug("Django: worker")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no connection to lose")
def test_a_worker_outlives_its_connections(worker):
    with worker("--pause", "0.05"):
        abandon(SagaStyle.ORCHESTRATION)
        wait_until(lambda: statuses() == {"completed"})
        for _ in range(3):
            cut_connections()
        for style in SagaStyle:
            abandon(style)
        wait_until(lambda: statuses() == {"completed"})


def cut_connections():
    """Every connection to the tests' database but this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        for (number,) in cursor.fetchall():
            with suppress(OperationalError):  # it has gone by itself
                cursor.execute("KILL %s", [number])


# --- However much there is ------------------------------------------------------------------------


@known_bug("KeeperHub PR#2344")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite goes by another plan, and is for development")
def test_what_is_due_is_found_along_an_index_however_many_rest():
    resting = {"saga_type": SagaStyle.CHOREOGRAPHY, "status": "COMPLETED", "payload": {}}
    SagaInstance.objects.bulk_create(SagaInstance(order_id=new_id(), **resting) for _ in range(2000))
    told = {"event_type": "OrderCompleted", "seq": 1, "delivered_at": DatabaseNow()}
    Event.objects.bulk_create(Event(aggregate_id=new_id(), **told) for _ in range(2000))
    with CaptureQueriesContext(connection) as queries:
        assert due(10) == []
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE saga_instances, events")
        cursor.fetchall()
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {queries[0]['sql']}")
        columns = [column[0] for column in cursor.description]
        plan = [dict(zip(columns, line, strict=True)) for line in cursor.fetchall()]
    assert all(int(line["rows"] or 0) < 100 for line in plan), plan


# --- Its other duties -----------------------------------------------------------------------------


def test_a_worker_does_all_that_no_request_waits_for():
    reserve_stock(order_snapshot(("book-123", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    now = DatabaseNow()
    for scope, expires_at in ("old", now), ("new", now + timedelta(hours=1)):
        IdempotencyKey.objects.create(scope=scope, fingerprint="f", created_at=now, expires_at=expires_at)
    work()
    assert Reservation.objects.get().status == "expired"
    assert IdempotencyKey.objects.get().scope == "new"
    work()
    assert InventoryView.objects.get().available == 100


def test_what_fails_stops_nothing_else(monkeypatch):
    def fail(*args):
        raise RuntimeError

    order_id = abandon(SagaStyle.ORCHESTRATION)
    monkeypatch.setattr(run_worker, "catch_up", fail)
    with pytest.raises(CommandError, match="read model"):
        work()
    assert Order.objects.get(pk=order_id).status == "completed"


@pytest.fixture
def signals():
    """Lets the tests' own process be ended again."""
    yield
    while signal.sigtimedwait(STOP_SIGNALS, 0):
        pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), OperationalError(2006, "gone away")])
def test_a_task_that_fails_is_tried_again_beside_the_others(signals, error):
    done = {"fails": 0, "works": 0}

    def fail(should_stop):
        done["fails"] += 1
        stop_when_both_have_gone_on()
        raise error

    def succeed(should_stop):
        done["works"] += 1
        stop_when_both_have_gone_on()
        return 0

    def stop_when_both_have_gone_on():
        if min(done.values()) >= 3:
            signal.pthread_kill(main_thread().ident, signal.SIGTERM)  # another thread may not have it blocked

    run_until_stopped(PeriodicTask("fails", fail, 0.001), PeriodicTask("works", succeed, 0.001))
    assert min(done.values()) >= 3
