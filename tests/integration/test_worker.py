"""The worker: it resumes what others have left, also beside other workers, until it receives a stop signal."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event as Signal
from threading import Thread, get_native_id, main_thread
from uuid import UUID

import httpx
import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database import transactions
from cloudmart.database.clock import DatabaseNow, from_now
from cloudmart.kernel.backoff import backoff
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.sharing import Share
from cloudmart.kernel.stopping import never
from cloudmart.models import IdempotencyKey
from cloudmart.periodic import STOP_SIGNALS, PeriodicTask, run_until_stopped
from cloudmart.process import NICENESS
from cloudmart.providers.outcomes import OutcomeUnknown
from cloudmart.sandbox.ledger import entries_in
from inventory import following
from inventory.models import InventoryView, Reservation
from orders.models import Order, SagaStyle
from payments.direct import ChargeRequest
from payments.direct import process as process_payment
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment
from sagas.batches import BatchItem
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.desk.mails import record_mails
from sagas.engine.engine import Engine
from sagas.engine.lease import shortened
from sagas.engine.recovery import due
from sagas.management.commands import run_worker
from sagas.models import Event, SagaInstance, SagaStepLog, WorkerHeartbeat
from sagas.operations.audit.audit import INVARIANTS
from sagas.operations.batches import queue
from sagas.operations.batches.work import run_due
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.figures.workers import Heartbeat
from shipping.models import Shipment
from tests.acceptance.test_payment_commands import raising
from tests.committed import reserve_stock
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY, order_snapshot
from tests.integration.test_leases import Killed, die, expire_leases, make_due, start, state, work
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, free_port, running_command, wait_until

STYLES = pytest.mark.parametrize("style", SagaStyle)


@pytest.fixture(autouse=True)
def shop(customer, shelve):
    shelve("book-123", 100)


def findings():
    """Returns the broken invariants. The audit as a whole would compare the sandbox, which has other tests' orders."""
    return [finding for invariant in INVARIANTS if not (finding := invariant.check(5)).holds]


def interrupt(style, **changes):
    """Returns the id of an order whose driver was killed before it charged; its lease has expired."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gateway()), "charge", lambda *args, **kwargs: die())
        saga = start(order_snapshot(("book-123", 1), style=style, **changes))
    expire_leases()
    return saga.order_id


def statuses():
    return set(Order.objects.values_list("status", flat=True))


# --- Errors ---------------------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch):
    """The gateway's adapter raises an unforeseen error for one payment token."""
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
def test_a_poison_saga_delays_no_other(style, poison, settings, lines):
    poisoned = [interrupt(style, payment_token="tok_poison") for _ in range(2)]
    good = [interrupt(style) for _ in range(3)]
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
def test_attention_is_requested_after_failed_attempts_and_the_attempts_continue(style, poison, settings):
    settings.ATTENTION_AFTER = 3
    interrupt(style, payment_token="tok_poison")
    attentions = []
    for _ in range(4):
        make_due()
        work()
        saga = SagaInstance.objects.get()
        attentions.append(saga.attention)
    first = saga.attempts - 3
    assert [bool(attention) for attention in attentions] == [first + number >= 3 for number in range(4)]
    assert attentions[-1].startswith(f"{saga.attempts} runs have failed. RuntimeError")
    assert "poison" not in attentions[-1], "clients see it too"
    assert findings() == [], "a waiting saga is no finding"
    poison.undo()
    make_due()
    work()
    saga.refresh_from_db()
    assert (saga.status, saga.attention, saga.attempts) == ("COMPLETED", None, 0)


@STYLES
def test_attention_is_requested_when_the_drivers_of_a_saga_keep_dying(style, settings):
    settings.ATTENTION_AFTER = 2
    order_id = interrupt(style)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockGateway, "charge", lambda *args, **kwargs: die())
        for attempts, is_noticed in (1, False), (2, True):
            with pytest.raises(Killed):
                engine.recover(SagaInstance.objects.get())
            saga = SagaInstance.objects.get()
            assert (saga.attempts, bool(saga.attention)) == (attempts, is_noticed)
            expire_leases()
    work()
    assert Order.objects.get(pk=order_id).status == "completed"
    assert SagaInstance.objects.get().attention is None


@STYLES
def test_a_poison_saga_waits_although_its_cancellation_is_requested(style, monkeypatch):
    def fail(*args):
        raise RuntimeError("poison")

    order_id = interrupt(style)
    cancel_order(order_id, "Changed my mind.")
    monkeypatch.setattr(Engine, "resume", fail)
    engine.recover(SagaInstance.objects.get())
    saga = SagaInstance.objects.get()
    assert saga.wake_at > saga.updated_at and due(10) == []


@STYLES
def test_a_finished_saga_whose_commit_got_no_response_does_not_wait(style, monkeypatch):
    resume = Engine.resume

    def lose_connection(*args):
        resume(*args)
        raise OperationalError(2013, "lost the connection")

    monkeypatch.setattr(Engine, "resume", lose_connection)
    interrupt(style)
    work()
    saga = SagaInstance.objects.get()
    assert (saga.status, saga.wake_at, saga.attempts, saga.attention) == ("COMPLETED", None, 0, None)


def test_the_backoff_doubles_up_to_a_limit_and_is_never_less_than_half():
    first, most = timedelta(seconds=2), timedelta(seconds=300)
    for attempts, longest in (1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (10_000, 300):
        waits = [backoff(attempts, first, most).total_seconds() for _ in range(200)]
        assert longest / 2 <= min(waits) < max(waits) <= longest


@known_bug("dbos-transact-py#716")
@STYLES
@pytest.mark.parametrize("when", ["acquire", "call", "wait"])
def test_a_database_that_goes_away_during_recovery_loses_no_saga(style, when, monkeypatch):
    """It goes away when a worker acquires a lease, during a provider call, or when the saga is to wait."""
    is_away, refused = when == "acquire", []

    def refuse_updates(execute, sql, *args):
        if is_away and sql.startswith("UPDATE"):
            refused.append(sql)
            raise OperationalError(2006, "gone away")
        return execute(sql, *args)

    def lose_connection(*args, **kwargs):
        nonlocal is_away
        is_away = when == "wait"
        raise OperationalError(2006, "gone away")

    for _ in range(3):
        interrupt(style)
    with monkeypatch.context() as broken, connection.execute_wrapper(refuse_updates):
        broken.setattr(transactions, "MAX_BACKOFF", 0)
        broken.setattr(transactions, "FAILOVER", 0)
        broken.setattr(MockGateway, "charge", lose_connection)
        PeriodicTask("sagas", run_worker.recover_all, 0).run()
    assert bool(refused) == (when != "call")
    assert statuses() == {"pending"}
    expire_leases()
    make_due()
    work()
    assert statuses() == {"completed"}
    assert findings() == []


# --- Concurrency ----------------------------------------------------------------------------------


@known_bug("dbos-transact-py#742")
@STYLES
def test_several_workers_drive_each_saga_once(style):
    for _ in range(12):
        interrupt(style)
    recovered = all_at_once([lambda: run_worker.recover_all(never)] * 4)
    assert sum(recovered) == 12
    assert set(SagaInstance.objects.values_list("status", "fence")) == {("COMPLETED", 2)}
    charges = [key for method, key in gateway().diary if method == "charge"]
    assert len(charges) == len(set(charges)) == 12
    assert findings() == []


@known_bug("dbos-transact-ts#1205")
@STYLES
def test_one_of_several_workers_takes_the_saga_over_from_a_request(style, monkeypatch):
    charge = MockGateway.charge
    recovered = []

    def call(self, key, **rest):
        monkeypatch.setattr(MockGateway, "charge", charge)
        expire_leases()
        recovered.extend(all_at_once([lambda: engine.recover(SagaInstance.objects.get())] * 3))
        return charge(self, key, **rest)

    monkeypatch.setattr(MockGateway, "charge", call)
    saga = engine.start(order_snapshot(("book-123", 1), style=style))
    assert sorted(recovered) == [False, False, True]
    assert saga.status == "COMPLETED", "the driver that lost the lease returns the stored saga"
    assert len(SagaStepLog.objects.filter(step="complete_order")) == (style == SagaStyle.ORCHESTRATION)
    assert findings() == []


# --- Processes ------------------------------------------------------------------------------------


@pytest.fixture
def worker(outside):
    """Starts manage.py run_worker with a lease of one second unless the test says otherwise, on the sandbox."""

    def worker(*arguments, payment_gateway=HTTP_GATEWAY, lease=1, **env):
        return running_command(
            "run_worker",
            *arguments,
            LEASE=str(lease),
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


def entries_of(sandbox, order_id):
    return [entry.kind for entry in entries_in(sandbox.ledger, order_id=order_id)]


@pytest.mark.slow
@STYLES
def test_a_worker_that_is_stopped_until_its_lease_has_expired_changes_nothing(style, worker, outside):
    order_id = interrupt(style)
    with worker("--once", payment_gateway="tests.gateways.Stopping") as stopped:
        wait_until_stopped(stopped)
        wait_until(lambda: due(1) != [])
        with worker("--once") as other:
            assert other.wait(timeout=TIMEOUT) == 0
        assert statuses() == {"completed"}
        before = state()
        stopped.send_signal(signal.SIGCONT)
        log, _ = stopped.communicate(timeout=TIMEOUT)
    assert stopped.returncode == 0 and "lease lost" in log
    assert state() == before and SagaInstance.objects.get().fence == 3
    assert entries_of(outside, order_id) == ["charge", "parcel"]
    assert findings() == []


@pytest.mark.slow
@known_bug("dbos-transact-golang#174")
@STYLES
@pytest.mark.parametrize("when", ["Before", "After"])
def test_another_worker_finishes_what_a_worker_killed_in_a_call_has_left(style, when, worker, outside):
    order_id = interrupt(style)
    with worker("--once", payment_gateway=f"tests.gateways.Killing{when}") as killed:
        assert killed.wait(timeout=TIMEOUT) == -signal.SIGKILL
    wait_until(lambda: due(1) != [])
    with worker("--once") as other:
        assert other.wait(timeout=TIMEOUT) == 0
    assert statuses() == {"completed"}
    assert entries_of(outside, order_id) == ["charge", "parcel"]
    assert findings() == []


@pytest.mark.any_database
def test_an_order_of_a_batch_whose_worker_is_killed_in_a_charge_is_charged_once(worker, outside):
    order_ids = [interrupt(style) for style in SagaStyle]
    SagaInstance.objects.update(owner="", lease_until=None, wake_at=from_now(timedelta(hours=1)))
    queue.store(new_id(), DeskCommand.RETRY, order_ids, "operator", "")
    with worker("--once", payment_gateway="tests.gateways.KillingAfter") as killed:
        assert killed.wait(timeout=TIMEOUT) == -signal.SIGKILL
    assert statuses() == {"pending"} and run_due() == 1, "the lease of the first order has not expired"
    expire_leases()
    BatchItem.objects.filter(result=queue.PENDING).update(due_at=DatabaseNow())
    assert run_due() == 1
    assert list(BatchItem.objects.order_by("pk").values_list("result", "fence")) == [("done", 2), ("done", 1)]
    assert [entries_of(outside, order_id) for order_id in order_ids] == [["charge", "parcel"]] * 2
    assert statuses() == {"completed"} and findings() == []


@STYLES
def test_a_worker_that_receives_sigterm_finishes_its_step_and_releases_its_lease(style, worker, outside):
    order_ids = [interrupt(style) for _ in range(2)]
    with worker("--threads", "1", payment_gateway="tests.gateways.StoppingUntilTold") as stopping:
        wait_until_stopped(stopping)
        stopping.send_signal(signal.SIGTERM)
        stopping.send_signal(signal.SIGCONT)
        assert stopping.wait(timeout=TIMEOUT) == 0
    left = SagaInstance.objects.get(fence=2)
    assert left.status == "PAYMENT_COMPLETED" and (left.owner, left.lease_until) == ("", None)
    assert entries_of(outside, left.order_id) == ["charge"]
    assert left in due(2), "another worker may resume it at once"
    work()
    assert statuses() == {"completed"}
    assert [entries_of(outside, order_id) for order_id in order_ids] == [["charge", "parcel"]] * 2


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time")
def test_several_worker_processes_drive_each_saga_once_although_one_is_killed(worker, outside):
    order_ids = [interrupt(style) for style in SagaStyle for _ in range(8)]
    workers = [worker("--interval", "0.05", lease=5) for _ in range(3)]  # no step of theirs takes as long
    with workers[0] as killed, workers[1], workers[2]:
        wait_until(lambda: Order.objects.filter(status="completed").exists())
        killed.kill()
        wait_until(lambda: statuses() == {"completed"})
    assert [sorted(entries_of(outside, order_id)) for order_id in order_ids] == [["charge", "parcel"]] * 16
    assert SagaInstance.objects.filter(fence__gt=2).count() <= 4, "only those that were driven by the killed one"
    assert findings() == []


def test_a_worker_learns_from_the_heartbeats_which_workers_run():
    heartbeat = Heartbeat()
    assert (heartbeat.share(), heartbeat.share(3, 4), heartbeat.interval_factor()) == (Share(0, 1), Share(3, 4), 1)
    for name, age in ("!first", 10), ("~last", 10), ("!dead", 60):
        WorkerHeartbeat.objects.create(worker=name, seen_at=DatabaseNow() - timedelta(seconds=age))
    heartbeat.beat()
    assert (heartbeat.share(), heartbeat.share(3, 4)) == (Share(1, 3), Share(7, 12))
    assert all(1.5 <= heartbeat.interval_factor() <= 4.5 for _ in range(100))
    WorkerHeartbeat.objects.all().delete()
    heartbeat.beat()
    assert (heartbeat.share(), heartbeat.interval_factor()) == (Share(0, 1), 1)


@pytest.mark.any_database
def test_each_task_of_a_worker_waits_by_its_heartbeat_and_has_its_errors_there(monkeypatch, transactional_db):
    started = []
    monkeypatch.setattr(run_worker, "run_until_stopped", lambda *tasks: started.extend(tasks))
    WorkerHeartbeat.objects.create(worker="!other")
    call_command("run_worker")
    heartbeat, *tasks = started
    for task in tasks:
        task.after_run(task.name, RuntimeError())
    heartbeat.run()
    assert WorkerHeartbeat.objects.exclude(pk="!other").get().errors.keys() == {task.name for task in tasks}
    assert heartbeat.interval_factor() == 1 and all(task.interval_factor() != 1 for task in tasks)


@pytest.mark.any_database
@pytest.mark.parametrize(
    "hosts",
    [
        ("cloudmart-run-worker-7d9f8b6c5d-x2x4z", "cloudmart-run-worker-7d9f8b6c5d-k8s9q"),
        ("ip-10-0-12-34.ap-northeast-1.compute.internal", "ip-10-0-12-35.ap-northeast-1.compute.internal"),
    ],
)
def test_workers_on_hosts_with_long_names_have_different_names(hosts):
    names = [shortened(host) for host in hosts]
    assert names[0] != names[1] and {len(name) for name in names} == {32}
    assert shortened("worker-1") == "worker-1"


def test_two_workers_of_two_threads_try_different_sagas_and_together_all(monkeypatch):
    SagaInstance.objects.bulk_create(
        SagaInstance(
            pk=UUID(int=number),  # its checksum decides who tries it
            saga_type=SagaStyle.ORCHESTRATION,
            order_id=new_id(),
            payload={},
            lease_until=DatabaseNow() - timedelta(minutes=1),
        )
        for number in range(40)
    )
    tried = []
    monkeypatch.setattr(Engine, "recover", lambda self, saga, should_stop: tried.append(saga.pk.int) or False)
    for other in "!first", "~last":
        WorkerHeartbeat.objects.all().delete()
        WorkerHeartbeat.objects.create(worker=other, seen_at=DatabaseNow())
        heartbeat = Heartbeat()
        heartbeat.beat()
        for task in run_worker.tasks(heartbeat, interval=1, threads=2):
            if task.name == "sagas":
                assert task.run() == 0
    assert sorted(tried) == list(range(40))


SHARED_TASKS = {"sagas", "stale intents", "parcels", "mails", "batches"}


class ReadsNothing(Share):
    def window(self, most):
        return 0


class TakesNothing(Share):
    def of(self, items, most, key=None):
        return []


def processed(monkeypatch, share):
    """Returns how many items a worker with this share has processed in each task that workers share."""
    heartbeat = Heartbeat()
    monkeypatch.setattr(heartbeat, "share", lambda thread=0, threads=1: share)
    tasks = run_worker.tasks(heartbeat, 0.5)
    return {task.name: task.run() for task in tasks if task.name in SHARED_TASKS}


def test_a_worker_reads_and_processes_only_its_share(monkeypatch):
    completed = start(order_snapshot(("book-123", 1)))
    record_mails()
    Shipment.objects.update(next_poll_at=DatabaseNow())
    queue.store(new_id(), DeskCommand.RETRY, [completed.order_id], "operator", "")
    with monkeypatch.context() as silent:
        silent.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        process_payment(ChargeRequest(new_id(), 1000, "credit_card"))
    Payment.objects.update(updated_at=DatabaseNow() - timedelta(hours=1))
    interrupt(SagaStyle.ORCHESTRATION)
    for share in ReadsNothing(), TakesNothing():
        assert processed(monkeypatch, share) == dict.fromkeys(SHARED_TASKS, 0)
    alone = processed(monkeypatch, Share())
    assert alone.keys() == SHARED_TASKS and all(alone.values())


@known_bug("Django: worker")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection to lose")
def test_a_worker_replaces_its_lost_connections(worker):
    with worker("--interval", "0.05"):
        interrupt(SagaStyle.ORCHESTRATION)
        wait_until(lambda: statuses() == {"completed"})
        for _ in range(3):
            cut_connections()
        for style in SagaStyle:
            interrupt(style)
        wait_until(lambda: statuses() == {"completed"})


def cut_connections():
    """Kills every connection to the tests' database but this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        for (number,) in cursor.fetchall():
            with suppress(OperationalError):  # it is closed already
                cursor.execute("KILL %s", [number])


# --- Large tables ---------------------------------------------------------------------------------


@known_bug("KeeperHub PR#2344")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has other query plans, and is for development")
def test_due_sagas_are_found_by_an_index_among_many_finished_ones():
    finished = {"saga_type": SagaStyle.CHOREOGRAPHY, "status": "COMPLETED", "payload": {}}
    SagaInstance.objects.bulk_create(SagaInstance(order_id=new_id(), **finished) for _ in range(2000))
    delivered = {"event_type": "OrderCompleted", "seq": 1, "delivered_at": DatabaseNow()}
    Event.objects.bulk_create(Event(aggregate_id=new_id(), **delivered) for _ in range(2000))
    with CaptureQueriesContext(connection) as queries:
        assert due(10) == []
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE saga_instances, events")
        cursor.fetchall()
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {queries[0]['sql']}")
        columns = [column[0] for column in cursor.description]
        plan = [dict(zip(columns, line, strict=True)) for line in cursor.fetchall()]
    assert all(int(line["rows"] or 0) < 100 for line in plan), plan


def test_a_worker_serves_its_counters_and_ends_on_sigterm(worker):
    interrupt(SagaStyle.ORCHESTRATION)
    port = free_port()
    with worker("--metrics-port", str(port)) as process:
        wait_until(lambda: statuses() == {"completed"})
        counted = 'cloudmart_orders_total{outcome="completed",style="orchestration"} 1.0'
        processed = 'cloudmart_worker_processed_total{task="sagas"} 1.0'
        acquired = 'cloudmart_lease_acquisitions_total{outcome="acquired"} 1.0'
        for line in counted, processed, acquired:
            wait_until(lambda line=line: line in httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        with worker("--metrics-port", str(port)) as other:
            assert other.wait(timeout=TIMEOUT) == 1, "the port is taken"
        process.terminate()
        assert process.wait(timeout=TIMEOUT) == 0


# --- Other tasks ----------------------------------------------------------------------------------


def test_a_worker_expires_reservations_deletes_keys_and_updates_the_read_model():
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


def test_a_failing_task_does_not_stop_the_others(monkeypatch):
    def fail(*args):
        raise RuntimeError

    order_id = interrupt(SagaStyle.ORCHESTRATION)
    monkeypatch.setattr(following, "catch_up", fail)
    with pytest.raises(CommandError, match="whole read model"):
        work()
    assert Order.objects.get(pk=order_id).status == "completed"


@pytest.fixture
def signals():
    """Unblocks the signals that the test process has received."""
    yield
    while signal.sigtimedwait(STOP_SIGNALS, 0):
        pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), OperationalError(2006, "gone away")])
def test_a_failing_task_is_repeated_and_so_are_the_others(signals, error):
    runs = {"fails": 0, "works": 0}

    def fail(should_stop):
        runs["fails"] += 1
        stop_after_three_runs_of_both()
        raise error

    def succeed(should_stop):
        runs["works"] += 1
        stop_after_three_runs_of_both()
        return 0

    def stop_after_three_runs_of_both():
        if min(runs.values()) >= 3:
            signal.pthread_kill(main_thread().ident, signal.SIGTERM)  # another thread may not have it blocked

    run_until_stopped(PeriodicTask("fails", fail, 0.001), PeriodicTask("works", succeed, 0.001))
    assert min(runs.values()) >= 3


@pytest.mark.any_database
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_only_a_task_that_yields_has_a_lower_priority_and_so_do_the_threads_that_it_starts():
    def priority(*_):
        return os.getpriority(os.PRIO_PROCESS, get_native_id())

    def work(name, should_stop):
        with ThreadPoolExecutor(1) as pool:
            seen[name] = (priority(), pool.submit(priority).result())
        stop.set()
        return 0

    seen, usual = {}, priority()
    for yields in (True, False):
        stop = Signal()
        thread = Thread(target=PeriodicTask("mails", partial(work, yields), 1, yields=yields).repeat, args=(stop,))
        thread.start()
        thread.join()
    lower = max(usual, NICENESS)
    assert seen == {True: (lower, lower), False: (usual, usual)}


def test_what_leaves_the_shop_yields_to_orders_and_sagas_do_not():
    tasks = {task.name: task.yields for task in run_worker.tasks(Heartbeat(), 1)}
    assert {name for name, yields in tasks.items() if yields} == {
        "mail events",
        "mails",
        "stream",
        "webhooks",
        "webhook sender",
    }


@pytest.mark.any_database
@pytest.mark.parametrize(("always_waits", "waits"), [(False, [6, 6]), (True, [6, 6, 6])])
def test_a_task_waits_its_interval_as_often_as_the_workers_that_share_it(always_waits, waits):
    class Stop(Signal):
        def wait(self, timeout=None):
            waited.append(timeout)

    def work(should_stop):
        result = next(results)
        if result is None:
            stop.set()
            raise RuntimeError("the last run fails")
        return result

    stop, waited, results, closed = Stop(), [], iter([5, 0, None]), []
    closing = {"close": lambda: closed.append(stop.is_set())}
    PeriodicTask("mails", work, 2, interval_factor=lambda: 3, always_waits=always_waits, **closing).repeat(stop)
    assert waited == waits and closed == [True]
