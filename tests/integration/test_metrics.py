"""The metrics, and who may read them."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from cloudmart.database import transactions
from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel import metrics as kernel_metrics
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.metrics import READ_AT_SCRAPE, SAME_IN_EVERY_PROCESS
from cloudmart.periodic import PeriodicTask
from cloudmart.providers.outcomes import OutcomeUnknown
from inventory import selectors as inventory
from inventory.errors import OutOfStock
from inventory.models import Reservation, Status
from inventory.projector import catch_up
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from sagas.desk.engine import engine
from sagas.engine import metrics
from sagas.models import SagaInstance, WorkerHeartbeat
from sagas.operations.commands import return_order
from tests.committed import mark_as_delivered, reserve_stock
from tests.conftest import order_snapshot, signed_in
from tests.known_bugs import known_bug


@pytest.fixture
def counted():
    """Returns how much a series has grown since the test began."""

    def all_series():
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
        }

    before = all_series()

    def counted(name, **labels):
        key = f"cloudmart_{name}", tuple(sorted(labels.items()))
        return all_series().get(key, 0) - before.get(key, 0)

    return counted


@pytest.fixture
def place(api, shelve):
    shelve("book-123", 10)

    def place(style, **more):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
        return api.post("/orders", {**body, **more})

    return place


@pytest.mark.parametrize("style", SagaStyle)
def test_a_completed_order_is_counted(place, counted, style):
    assert place(style).status_code == 201
    assert counted("orders_total", style=style, outcome="completed") == 1
    assert counted("order_duration_seconds_count", style=style) == 1
    assert counted("compensations_total", style=style, step="process_payment") == 0


@pytest.mark.parametrize("style", SagaStyle)
def test_a_declined_order_is_counted(place, counted, style):
    assert place(style, payment_token="tok_insufficient_funds").status_code == 402
    assert counted("orders_total", style=style, outcome="failed") == 1
    assert counted("orders_total", style=style, outcome="completed") == 0
    assert counted("order_failures_total", style=style, code="payment_declined") == 1


@pytest.mark.parametrize(
    ("style", "step", "undone"),
    [
        (SagaStyle.ORCHESTRATION, "process_payment", ["process_payment", "reserve_stock", "create_order"]),
        (
            SagaStyle.CHOREOGRAPHY,
            "payments.charge_when_order_created",
            [
                "payments.refund_when_nothing_is_shipped",
                "inventory.release_when_order_fails",
                "orders.cancel_when_everything_is_returned",
            ],
        ),
    ],
)
def test_attempts_and_compensations_are_counted(place, counted, style, step, undone):
    trouble = {"payment_token": "tok_unavailable_2", "shipping_address": "999-9999"}
    assert place(style, payment_method="credit_card", **trouble).status_code == 409
    attempts = {"style": style, "step": step, "direction": "do"}
    assert counted("saga_step_duration_seconds_count", **attempts, outcome="failed") == 2
    assert counted("saga_step_duration_seconds_count", **attempts, outcome="done") == 1
    assert counted("saga_step_retries_total", **attempts) == 2
    assert [counted("compensations_total", style=style, step=step) for step in undone] == [1, 1, 1]


@pytest.mark.parametrize("style", SagaStyle)
def test_waiting_orders_and_unexpected_errors_are_counted(place, counted, monkeypatch, style):
    def fails_with(error):
        def charge(self, key, **kwargs):
            raise error

        return charge

    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: fails_with(OutcomeUnknown("none"))(self, key))
    assert place(style).status_code == 202
    assert counted("orders_total", style=style, outcome="waiting") == 1
    monkeypatch.setattr(MockGateway, "charge", fails_with(ZeroDivisionError()))
    assert place(style).status_code == 500
    assert counted("orders_total", style=style, outcome="error") == 1


@pytest.mark.parametrize("style", SagaStyle)
def test_a_returned_order_counts_as_completed_and_returned(place, counted, style):
    order_id = place(style).json()["order_id"]
    mark_as_delivered(order_id)
    return_order(order_id, "Sent back.", "operator")
    assert counted("orders_total", style=style, outcome="completed") == 1
    assert counted("orders_total", style=style, outcome="returned") == 1
    assert counted("order_failures_total", style=style, code="order_returned") == 1


@pytest.mark.parametrize("style", SagaStyle)
def test_a_cancelled_order_counts_as_completed_and_cancelled(api, place, counted, style):
    order_id = place(style).json()["order_id"]
    for _ in range(2):
        assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert counted("orders_total", style=style, outcome="completed") == 1
    assert counted("orders_total", style=style, outcome="cancelled") == 1
    assert counted("order_duration_seconds_count", style=style) == 1


@pytest.mark.parametrize("style", SagaStyle)
def test_shortages_are_counted_by_stage(place, counted, monkeypatch, style):
    assert place(style, quantity=11).status_code == 409
    assert counted("stock_shortages_total", stage="desk") == 1
    assert counted("orders_total", style=style, outcome="refused") == 1
    monkeypatch.setattr(inventory, "check_availability", lambda books, wanted: None)
    assert place(style, quantity=11).status_code == 409
    assert counted("stock_shortages_total", stage="desk") == 1
    assert counted("stock_shortages_total", stage="reserving") == 1
    assert counted("order_failures_total", style=style, code=OutOfStock.code) == 2


@known_bug("Django: deadlock inside a savepoint")
@pytest.mark.parametrize("style", SagaStyle)
def test_a_repeated_transaction_is_counted_once(place, counted, monkeypatch, style):
    monkeypatch.setattr(transactions, "MAX_BACKOFF", 0)
    conflicts = [OperationalError(1213, "deadlock")] * 2

    def conflict_after_reserving(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "INSERT" in sql and "reservations" in sql and conflicts:
            raise conflicts.pop()
        return result

    with connection.execute_wrapper(conflict_after_reserving):
        assert place(style).status_code == 201
    step = "reserve_stock" if style == "orchestration" else "inventory.reserve_when_order_created"
    labels = {"style": style, "step": step, "direction": "do", "outcome": "done"}
    assert counted("saga_step_duration_seconds_count", **labels) == 1
    transaction = "Orchestrator.open" if style == "orchestration" else "Choreography.open"
    assert counted("transaction_retries_total", transaction=transaction) == 2


def test_every_retry_of_a_transaction_is_counted(transactional_db, counted, monkeypatch):
    monkeypatch.setattr(transactions, "MAX_BACKOFF", 0)

    @durable
    def lose():
        raise OperationalError("database is locked")

    with pytest.raises(transactions.DatabaseBusy):
        lose()
    retried = counted("transaction_retries_total", transaction=lose.__qualname__)
    assert retried == transactions.ATTEMPTS - 1, "the last attempt is not retried"


@known_bug("Django: on_commit")
@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_is_placed_although_the_metrics_fail(place, monkeypatch, lines, style):
    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    metrics._step_seconds.cache_clear()
    for metric in (metrics.ORDERS, metrics.ORDER_SECONDS, metrics.STEP_SECONDS, kernel_metrics.TRANSACTION_RETRIES):
        monkeypatch.setattr(metric, "labels", fail)
    assert place(style).status_code == 201
    assert place(style, quantity=11).json()["code"] == "out_of_stock"
    assert any("no space left" in line.get("exception", "") for line in lines())


def scraped(operator):
    """Returns the metrics that an operator reads, by family."""
    response = signed_in(operator).get("/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert response.status_code == 200 and response["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.content.decode())
    return {
        family.name: {tuple(value for _, value in sorted(s.labels.items())): s.value for s in family.samples}
        for family in families
    }


def test_only_operators_see_the_metrics(api, operator, shelve):
    shelve("book-123", 10)
    reserve_stock(order_snapshot(("book-123", 2)))
    reserve_stock(order_snapshot(("book-123", 1)))
    assert APIClient().get("/metrics").status_code == 401
    assert api.get("/metrics").json()["code"] == "permission_denied"
    families = scraped(operator)
    assert families["cloudmart_live_reservations"] == {(): 2}
    assert families["cloudmart_live_reserved_copies"] == {(): 3}
    assert {"cloudmart_orders", "cloudmart_idempotent_replays"} <= families.keys()


def test_the_metrics_token_opens_the_metrics_and_nothing_else(transactional_db, settings):
    scraper = APIClient(headers={"Authorization": "Bearer prometheus-01"})
    assert scraper.get("/metrics").status_code == 401, "there is no such token"
    settings.METRICS_TOKEN = "prometheus-01"
    response = scraper.get("/metrics")
    assert response.status_code == 200 and b"cloudmart_saga_lag_seconds" in response.content
    assert [scraper.get(path).status_code for path in ("/orders", "/inventory")] == [401, 401]
    for token in ("", "prometheus-0", "prometheus-012", "プロメテウス".encode().decode("latin-1")):
        assert APIClient(headers={"Authorization": f"Bearer {token}"}).get("/metrics").status_code == 401
    settings.METRICS_TOKEN = ""
    assert APIClient(headers={"Authorization": "Bearer "}).get("/metrics").status_code == 401


def test_unfinished_sagas_are_counted_by_condition(operator):
    past, future = (DatabaseNow() + timedelta(minutes=minutes) for minutes in (-1, 1))
    for columns in (
        {"lease_until": future},
        {"lease_until": past},
        {"wake_at": past, "attention": "Look!"},
        {"wake_at": future},
        {"abandoned_at": past, "attention": "Lost."},
        {"status": "FAILED"},
    ):
        SagaInstance.objects.create(saga_type=SagaStyle.CHOREOGRAPHY, order_id=new_id(), payload={}, **columns)
    families = scraped(operator)
    expected = {"driven": 1, "due": 2, "waiting": 1, "abandoned": 1}
    assert families["cloudmart_unfinished_sagas"] == {
        **{(condition, "choreography"): count for condition, count in expected.items()},
        **{(condition, "orchestration"): 0 for condition in expected},
    }
    assert families["cloudmart_sagas_calling_for_attention"] == {("choreography",): 2, ("orchestration",): 0}
    assert 60 <= families["cloudmart_saga_lag_seconds"][()] < 120


def test_the_lag_is_zero_when_nothing_is_due(operator):
    assert scraped(operator)["cloudmart_saga_lag_seconds"] == {(): 0}


def test_every_gauge_of_the_database_says_how_to_aggregate_it(transactional_db):
    gauges = list(READ_AT_SCRAPE.collect())
    assert len(gauges) >= 8
    assert [gauge.name for gauge in gauges if not gauge.documentation.endswith(SAME_IN_EVERY_PROCESS)] == []


def test_only_workers_with_a_recent_heartbeat_are_alive(operator):
    for seconds in (0, 20, 40):
        WorkerHeartbeat.objects.create(worker=f"host:{seconds}", seen_at=DatabaseNow() - timedelta(seconds=seconds))
    assert scraped(operator)["cloudmart_workers_alive"] == {(): 2}


def test_the_lag_of_the_expiry_is_that_of_the_oldest_reservation(operator, shelve):
    shelve("book-123", 10)
    assert scraped(operator)["cloudmart_expiry_lag_seconds"] == {(): 0}
    for minutes, status in ((-3, Status.EXPIRED), (-2, Status.ACTIVE), (-1, Status.ACTIVE), (1, Status.ACTIVE)):
        Reservation.objects.create(
            order_id=new_id(),
            shelf_id="book-123",
            quantity=1,
            status=status,
            expires_at=DatabaseNow() + timedelta(minutes=minutes),
        )
    assert 120 <= scraped(operator)["cloudmart_expiry_lag_seconds"][()] < 180


def test_the_lag_of_the_read_model_is_read_from_the_database(operator, shelve):
    shelve("book-123", 10)
    assert scraped(operator)["cloudmart_read_model_lag_seconds"][()] > 0
    catch_up()
    assert scraped(operator)["cloudmart_read_model_lag_seconds"][()] == 0


def test_counters_are_served_while_the_database_is_unavailable(transactional_db, settings):
    def refuse(execute, sql, params, many, context):
        used.append(connection.connection)
        raise OperationalError(1047, "WSREP has not yet prepared node for application use")

    used = []
    settings.METRICS_TOKEN = "prometheus-01"
    scraper = APIClient(headers={"Authorization": "Bearer prometheus-01"})
    with connection.execute_wrapper(refuse):
        response, _ = scraper.get("/metrics"), scraper.get("/metrics")
    assert used[0] is not used[1], "another connection may reach a server that responds"
    assert response.status_code == 200 and b"cloudmart_orders_total" in response.content
    assert b"cloudmart_saga_lag_seconds" not in response.content
    assert b"cloudmart_saga_lag_seconds" in scraper.get("/metrics").content


# --- Workers --------------------------------------------------------------------------------------


def test_the_runs_of_a_workers_tasks_are_counted(transactional_db, counted):
    results = iter([3, 0, 2])
    task = PeriodicTask("mails", lambda should_stop: next(results), 1)
    assert [task.run() for _ in range(4)] == [3, 0, 2, None], "the last run has raised StopIteration"
    outcomes = ("done", "idle", "failed")
    assert [counted("worker_runs_total", task="mails", outcome=outcome) for outcome in outcomes] == [2, 1, 1]
    assert counted("worker_processed_total", task="mails") == 5
    assert counted("worker_run_duration_seconds_count", task="mails") == 4


def test_acquired_and_lost_leases_are_counted(transactional_db, counted):
    saga = SagaInstance.objects.create(
        saga_type=SagaStyle.ORCHESTRATION,
        order_id=new_id(),
        payload=order_snapshot(("book-123", 1)).as_json(),
        lease_until=DatabaseNow() - timedelta(minutes=1),
    )
    same = SagaInstance.objects.get(pk=saga.pk)
    assert (engine.recover(same), engine.recover(saga)) == (True, False)
    assert [counted("lease_acquisitions_total", outcome=outcome) for outcome in ("acquired", "lost")] == [1, 1]
