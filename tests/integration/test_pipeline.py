"""The order of things: what can refuse comes first, and a happy order costs three commits."""

import re
import traceback
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.sql import Query
from django.test.utils import CaptureQueriesContext
from rest_framework.serializers import Serializer

from cloudmart.kernel.order import OrderSnapshot
from cloudmart.providers import calling
from inventory import selectors as inventory_selectors
from orders import pricing
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund
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
ROOT = Path(__file__).resolve().parents[2]
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
def test_availability_is_checked_before_anything_is_calculated_and_that_before_anything_is_stored(
    api, shelve, called, style
):
    shelve("book-123", 1)
    written_at = []

    def note_writes(execute, sql, params, many, context):
        if not sql.startswith("SELECT"):
            written_at.append(len(called))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note_writes):
        assert api.post("/orders", {**BODY, "saga": style}).status_code == 201
    assert called == ["find_books", "check_availability", "discount_on", "tax_on"]
    assert set(written_at) == {len(called)}


def test_an_unavailable_book_stops_before_discounts_and_tax(api, shelve, called):
    shelve("book-123", 0)
    assert api.post("/orders", BODY).status_code == 409
    assert called == ["find_books", "check_availability"]


def test_an_order_whose_stock_cannot_be_reserved_is_never_seen_as_placed(api, shelve, monkeypatch):
    shelve("book-123", 0)
    monkeypatch.setattr(inventory_selectors, "check_availability", lambda books, wanted: None)
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", {**BODY, "saga": "orchestration"}).status_code == 409
    assert Order.objects.get().status == "cancelled"
    assert commits(queries) == 1


def commits(queries):
    return sum(query["sql"] == "COMMIT" for query in queries)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "key"}], ids=["no key", "key"])
@pytest.mark.parametrize("style", SagaStyle)
def test_a_happy_order_costs_exactly_three_commits(api, shelve, style, key):
    shelve("book-123", 5)
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", {**BODY, "saga": style}, headers=key).status_code == 201
    assert commits(queries) == 3
    open_, outside = False, []
    for query in queries:
        sql = query["sql"]
        if sql.startswith(("BEGIN", "COMMIT")):
            open_ = sql.startswith("BEGIN")
        elif not open_ and not sql.startswith("SELECT"):
            outside.append(sql)
    assert outside == [], "a write outside a transaction would be a commit of its own"


def refuse(*args, **kwargs):
    raise AssertionError("this is done once, or not at all")


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "second"}], ids=["no key", "key"])
@pytest.mark.parametrize("style", SagaStyle)
def test_a_second_order_compiles_parses_and_prepares_nothing_again(api, shelve, monkeypatch, style, key):
    shelve("book-123", 5)
    first = {"Idempotency-Key": "first"} if key else {}
    assert api.post("/orders", {**BODY, "saga": style}, headers=first).status_code == 201
    monkeypatch.setattr(Query, "get_compiler", refuse)
    monkeypatch.setattr(OrderSnapshot, "from_json", refuse)
    monkeypatch.setattr(Serializer, "get_fields", refuse)
    monkeypatch.setattr(calling, "Retrying", refuse)
    assert api.post("/orders", {**BODY, "saga": style}, headers=key).status_code == 201


WRITTEN_TWICE = {"orchestration": [("UPDATE", "saga_instances")], "choreography": []}
"""By what the last transaction claims the saga, and then finishes it."""


@pytest.mark.parametrize("style", SagaStyle)
def test_a_transaction_has_one_statement_for_each_kind_of_row_and_reads_none_that_it_wrote(api, shelve, style):
    for number in range(3):
        shelve(f"book-{number}", 5)
    items = [{"book_id": f"book-{number}", "quantity": 1} for number in range(3)]
    body = {"items": items, "payment_method": "credit_card", "saga": style}
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/orders", body, headers={"Idempotency-Key": "key"}).status_code == 201
    written, twice = [], []
    for sql in (query["sql"].replace('"', "`") for query in queries):
        if sql.startswith("BEGIN"):
            written = []
        elif sql.startswith("SELECT"):
            assert not [table for _, table in written if f"FROM `{table}`" in sql], sql
        elif match := re.match(r"(INSERT INTO|UPDATE) `(\w+)`", sql):
            twice += [match.groups()] if match.groups() in written else []
            written.append(match.groups())
    assert twice == WRITTEN_TWICE[style]


@pytest.mark.any_database
@pytest.mark.parametrize("style", SagaStyle)
def test_at_most_ten_functions_lead_from_the_view_to_the_lock_of_the_stock(api, shelve, style):
    shelve("book-123", 5)
    stacks = []

    def note_stack(execute, sql, params, many, context):
        if 'FROM "inventory"' in sql and "ORDER BY" in sql:
            stacks.append([frame.name for frame in traceback.extract_stack() if is_ours(frame.filename)])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note_stack):
        assert api.post("/orders", {**BODY, "saga": style}, headers={"Idempotency-Key": "key"}).status_code == 201
    first = stacks[0]
    frames = first[first.index("post") : first.index("lock_stock_of") + 1]
    assert len(frames) <= 10, frames


def is_ours(filename):
    parts = Path(filename).relative_to(ROOT).parts if Path(filename).is_relative_to(ROOT) else ("",)
    return parts[0] in {"cloudmart", "orders", "inventory", "payments", "shipping", "sagas"}


@known_bug("MassTransit#1005")
@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize("trouble", [{}, {"shipping_address": "999-9999"}])
def test_no_transaction_is_open_while_a_provider_is_asked(api, shelve, style, trouble, monkeypatch):
    shelve("book-123", 5)
    asked = []

    def watch(provider, method):
        original = getattr(provider, method)

        def watched(self, key, **kwargs):
            asked.append((method, connection.in_atomic_block, intent_is_committed(key)))
            return original(self, key, **kwargs)

        monkeypatch.setattr(provider, method, watched)

    def intent_is_committed(key):
        tables = {"charge": Payment, "refund": Refund, "arrange": Shipment}
        return tables[key.partition("-")[0]].objects.filter(idempotency_key=key).exists()

    for provider, method in ((MockGateway, "charge"), (MockGateway, "refund"), (MockCarrier, "arrange")):
        watch(provider, method)
    api.post("/orders", {**BODY, **trouble, "saga": style})
    assert {method for method, _, _ in asked} == {"charge", "arrange", *(["refund"] if trouble else [])}
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


def test_a_second_call_of_a_service_changes_nothing(customer, shelve):
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
