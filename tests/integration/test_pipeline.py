"""The order of things: what can refuse comes first, and a happy order costs three commits."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import selectors as inventory_selectors
from inventory.errors import OutOfStock
from orders import pricing
from orders import services as orders
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund
from sagas.desk import placing as placement
from sagas.orchestration import orchestrator
from sagas.orchestration.workflow import Local
from shipping.carriers.mock import MockCarrier
from shipping.models import Shipment
from tests import committed
from tests.conftest import available, order_snapshot
from tests.known_bugs import known_bug

CALLS = (
    (inventory_selectors, "find_books"),
    (inventory_selectors, "check_availability"),
    (pricing, "discount_on"),
    (pricing, "tax_on"),
)
BODY = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}


@pytest.fixture
def called(monkeypatch):
    """The names of the calls of an order's pipeline, as they come."""
    names = []

    def spy(owner, name):
        original = getattr(owner, name)

        def spied(*args, **kwargs):
            names.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, spied)

    for owner, name in CALLS:
        spy(owner, name)
    return names


@pytest.mark.parametrize("style", SagaStyle)
def test_availability_comes_before_any_calculation_and_that_before_any_side_effect(
    api, shelve, called, style, monkeypatch
):
    shelve("book-123", 1)
    start, written_before = placement.START[style], []

    def spied_start(order, answers_key, should_stop):
        called.append("start")
        written_before.extend(query["sql"] for query in queries if not query["sql"].startswith("SELECT"))
        return start(order, answers_key, should_stop)

    monkeypatch.setitem(placement.START, style, spied_start)
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", {**BODY, "saga": style}).status_code == 201
    assert called == ["find_books", "check_availability", "discount_on", "tax_on", "start"]
    assert written_before == []


def test_an_unavailable_book_stops_before_discounts_and_tax(api, shelve, called):
    shelve("book-123", 0)
    assert api.post("/orders", BODY).status_code == 409
    assert called == ["find_books", "check_availability"]


def test_a_failing_reserve_saves_no_order_as_placed(api, shelve, monkeypatch):
    shelve("book-123", 1)
    seen = []

    def reserve(order):
        raise OutOfStock(shortages=[])

    def cancel(order, reason):
        seen.append(Order.objects.get().status)
        orders.cancel_order(order, reason)

    steps = {"create_order": {"undo": cancel}, "reserve_stock": {"do": reserve}}
    workflow = tuple(
        Local(**{"name": step.name, "do": step.do, "undo": step.undo, "reaches": step.reaches, **steps[step.name]})
        if step.name in steps
        else step
        for step in orchestrator.ORDER_WORKFLOW
    )
    monkeypatch.setitem(
        placement.START,
        SagaStyle.ORCHESTRATION,
        lambda order, key, never: orchestrator.OrderSagaOrchestrator.start(order, key, never, workflow),
    )
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", BODY).status_code == 409
    assert Order.objects.get().status == "cancelled"
    assert commits(queries) == 1, "the order must never be seen as placed"
    assert seen == ["pending"]


def commits(queries):
    return sum(query["sql"] == "COMMIT" for query in queries)


def test_a_happy_orchestrated_order_costs_exactly_three_commits(api, shelve):
    shelve("book-123", 5)
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", {**BODY, "saga": "orchestration"}).status_code == 201
    assert commits(queries) == 3
    open_, outside = False, []
    for query in queries:
        sql = query["sql"]
        if sql.startswith(("BEGIN", "COMMIT")):
            open_ = sql.startswith("BEGIN")
        elif not open_ and not sql.startswith("SELECT"):
            outside.append(sql)
    assert outside == [], "a write outside a transaction would be a commit of its own"


@known_bug("MassTransit#1005")
@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize("trouble", [{}, {"shipping_address": "999-9999"}])
def test_no_transaction_is_open_while_a_provider_is_asked(api, shelve, style, trouble, monkeypatch):
    shelve("book-123", 5)
    asked = []

    def watch(provider, verb):
        original = getattr(provider, verb)

        def watched(self, key, **kwargs):
            asked.append((verb, connection.in_atomic_block, intent_is_committed(key)))
            return original(self, key, **kwargs)

        monkeypatch.setattr(provider, verb, watched)

    def intent_is_committed(key):
        tables = {"charge": Payment, "refund": Refund, "arrange": Shipment}
        return tables[key.partition("-")[0]].objects.filter(idempotency_key=key).exists()

    for provider, verb in ((MockGateway, "charge"), (MockGateway, "refund"), (MockCarrier, "arrange")):
        watch(provider, verb)
    api.post("/orders", {**BODY, **trouble, "saga": style})
    assert {verb for verb, _, _ in asked} == {"charge", "arrange", *(["refund"] if trouble else [])}
    assert all(not is_open and committed for _, is_open, committed in asked)


@known_bug("SQL: order of locks")
def test_books_are_locked_together_in_primary_key_order_before_anything_is_written(api, shelve):
    for book_id in ("book-c", "book-a", "book-b"):
        shelve(book_id, 5)
    items = [{"book_id": book_id, "quantity": 1} for book_id in ("book-c", "book-b", "book-a")]
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", {"items": items, "payment_method": "e_money"}).status_code == 201
    statements = [query["sql"] for query in queries]
    locks = [sql for sql in statements if "FROM `inventory`" in sql.replace('"', "`") and "ORDER BY" in sql]
    assert len(locks) == 2, "one lock to reserve, one to confirm"
    if connection.vendor == "mysql":
        assert all(sql.rstrip().endswith("FOR UPDATE") for sql in locks)
    first_hold = next(n for n, sql in enumerate(statements) if "INSERT INTO" in sql and "reservations" in sql)
    assert statements.index(locks[0]) < first_hold


def test_services_are_safe_to_call_twice(customer, shelve):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2))
    for _ in range(2):
        committed.create_order(order)
        committed.reserve_stock(order)
    assert available("book-123") == 3
    for _ in range(2):
        committed.confirm_stock(order)
        committed.complete_order(order)
    for _ in range(2):
        committed.release_stock(order, "again")
        committed.cancel_order(order, "again")
    assert available("book-123") == 5
