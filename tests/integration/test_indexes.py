"""Every index serves a query of the product or keeps a promise. Those that do neither cost every order a write."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from rest_framework.test import APIClient

from cloudmart.database.clock import database_now
from cloudmart.kernel.ids import new_id
from cloudmart.outbox.consumers import pending
from cloudmart.outbox.models import Consumer
from cloudmart.webhooks.models import WebhookEndpoint
from cloudmart.webhooks.queue import acquire, due_endpoints
from cloudmart.webhooks.recording import record_test
from cloudmart.webhooks.secrets import new_secret
from inventory.audit import reservations_match_ledger
from inventory.projector import record_events
from inventory.selectors import expired_copies, inventory_at, reservations_of
from orders.audit import coupon_uses_add_up
from orders.mails.queue import due as due_mails
from orders.models import SagaStyle
from orders.selectors import find_order, find_price_rules
from payments.selectors import find_payment
from payments.unsettled import UNSETTLED as PAYMENTS
from sagas.batches import Batch
from sagas.desk.cancelling import cancel_order
from sagas.desk.status import saga_status
from sagas.engine.recovery import due
from sagas.operations.batches.queue import counts_of, store
from sagas.operations.batches.queue import due as due_items
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.stale_intents import stale
from sagas.selectors import find_saga
from shipping import polling
from shipping.selectors import find_shipment
from shipping.unsettled import UNSETTLED as PARCELS
from tests.committed import add_stock, expire_reservations
from tests.conftest import signed_in

BOOK = "book-123"
ORDER = {"book_id": BOOK, "quantity": 1, "payment_method": "credit_card"}
ROOT = Path(__file__).resolve().parents[2]
APPS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
MODELS = {model._meta.db_table: model for app in APPS for model in apps.get_app_config(app).get_models()}


@dataclass(frozen=True)
class Shop:
    """A customer, an operator, and a completed order of each style."""

    api: APIClient
    desk: APIClient
    operator: Any
    orchestrated: UUID
    choreographed: UUID

    @property
    def moment(self) -> Any:
        return find_order(self.orchestrated, self.operator).created_at


Query = Callable[[Shop], object]


def place(shop: Shop) -> object:
    return shop.api.post("/orders", ORDER, HTTP_IDEMPOTENCY_KEY="key-1")


def price_rules(shop: Shop) -> object:
    return find_price_rules("WELCOME10", "JP")


def list_orders(shop: Shop, **filters: str) -> object:
    return shop.desk.get("/orders", filters)


def visit(shop: Shop, page: str, **query: str) -> object:
    """Visits a page of the admin."""
    admin = Client()
    admin.force_login(shop.operator)
    return admin.get(f"/admin/{page}/", query)


def search(page: str, text: str, shop: Shop) -> object:
    """Searches on a page of the admin."""
    return visit(shop, page, q=text)


def status(shop: Shop) -> object:
    return saga_status(shop.orchestrated, shop.operator)


def results_of_a_batch(shop: Shop) -> object:
    batch_id = new_id()
    store(batch_id, DeskCommand.CANCEL, [shop.orchestrated], "operator", "")
    return counts_of(Batch(pk=batch_id))


def unsettled(kind: Any) -> Query:
    return lambda shop: list(stale(kind).order_by("updated_at")[:1])


def send_webhook(shop: Shop) -> object:
    """Reads the pending deliveries of a subject, and the attempts of a delivery."""
    endpoint = WebhookEndpoint.objects.create(url="http://a.test/", secret=new_secret())
    delivery = record_test(endpoint)
    return acquire(endpoint), list(delivery.log.all())


@override_settings(SHELF_SHARDS=4)
def place_of_a_split_book(shop: Shop) -> object:
    return shop.api.post("/orders", ORDER)


@override_settings(SHELF_SHARDS=4)
def record_sales(shop: Shop) -> None:
    record_events([BOOK])


def nothing(shop: Shop) -> None:
    """No query uses it: the index is unique, and that is the promise."""


CHARGE, _, REFUND = PAYMENTS
PARCEL, _ = PARCELS

INDEXES: dict[str, dict[str, Query]] = {
    "idempotency_keys": {
        "scope": place,
        "expires_at": lambda shop: call_command("purge_idempotency_keys", verbosity=0),
    },
    "customers": {
        "user_id": place,
        "email, id": partial(search, "orders/customer", "someone@example.com"),
        "name": partial(search, "orders/customer", "Someone"),
    },
    "orders": {
        "number": partial(search, "orders/order", "A7F3"),
        "created_at, id": partial(list_orders, created_from="2026-01-01T00:00:00Z"),
        "customer_id, created_at, id": lambda shop: shop.api.get("/orders"),
        "status, created_at, id": partial(list_orders, status="pending"),
    },
    "mails": {
        "order_id, outcome, reference": lambda shop: due_mails(10),
        "status, due_at": lambda shop: due_mails(10),
    },
    "order_notes": {"order_id": lambda shop: shop.desk.get(f"/orders/{shop.orchestrated}/notes")},
    "order_items": {"order_id, book_id": lambda shop: find_order(shop.orchestrated, shop.operator)},
    "outbox": {
        "for_mail": lambda shop: pending(Consumer.MAIL),
        "for_webhooks": lambda shop: pending(Consumer.WEBHOOKS),
        "for_stream": lambda shop: pending(Consumer.STREAM),
    },
    "event_sequences": {},
    "outbox_consumers": {},
    "webhook_endpoints": {},
    "webhook_deliveries": {
        "endpoint_id, status, due_at": lambda shop: due_endpoints(10),
        "endpoint_id, event_id": lambda shop: due_endpoints(10),
        "subject, status": lambda shop: send_webhook(shop),
    },
    "webhook_attempts": {"delivery_id": lambda shop: send_webhook(shop)},
    "discounts": {"code": price_rules},
    "coupon_uses": {"coupon_id": lambda shop: coupon_uses_add_up.check(1)},
    "tax_rates": {"region, valid_from": price_rules},
    "books": {
        "title": partial(search, "inventory/book", "Some title"),
        "archived, id": lambda shop: shop.api.get("/books"),
    },
    "inventory": {"low_stock_threshold": lambda shop: visit(shop, "inventory/book", stock="low")},
    "reservations": {
        "order_id, book_id": lambda shop: reservations_of(shop.orchestrated),
        "status, expires_at": lambda shop: expire_reservations(10),
        "book_id, status, expires_at": lambda shop: expired_copies([BOOK]),
    },
    "stock_events": {
        "book_id, version": lambda shop: shop.api.get(f"/inventory/{BOOK}/events"),
        "book_id, reference": lambda shop: add_stock(BOOK, 1, reference="delivery-1"),
        "book_id, happened_at": lambda shop: inventory_at(BOOK, shop.moment),
        "order_id": lambda shop: reservations_match_ledger.check(1),
    },
    "sub_shelves": {"book_id, number": place_of_a_split_book},
    "pending_stock_events": {
        "book_id, happened_at": record_sales,
        "order_id": lambda shop: reservations_match_ledger.check(1),
    },
    "stock_movements": {
        "day, book_id": lambda shop: shop.desk.get("/inventory/reports/movements?from=2026-11-01&to=2026-11-30"),
        "book_id, day": lambda shop: shop.desk.get(f"/inventory/reports/movements?book_id={BOOK}"),
    },
    "inventory_view": {"available, book_id": lambda shop: shop.api.get("/inventory?in_stock=true")},
    "payments": {
        "order_id": lambda shop: find_payment(shop.orchestrated, shop.operator),
        "idempotency_key": nothing,
        "status, updated_at": unsettled(CHARGE),
        "transaction_id, id": partial(search, "payments/payment", "txn-1"),
    },
    "refunds": {
        "payment_id, reference": lambda shop: find_payment(shop.choreographed, shop.operator),
        "idempotency_key": nothing,
        "status, updated_at": unsettled(REFUND),
        "transaction_id, id": partial(search, "payments/refund", "txn-1"),
    },
    "shipments": {
        "order_id": lambda shop: find_shipment(shop.orchestrated, shop.operator),
        "idempotency_key": nothing,
        "status, updated_at": unsettled(PARCEL),
        "tracking_number": partial(search, "shipping/shipment", "TRK-1"),
        "next_poll_at": lambda shop: polling.due(10, database_now()),
    },
    "saga_instances": {
        "order_id": lambda shop: find_saga(shop.orchestrated),
        "status, wake_at": lambda shop: due(10),
    },
    "saga_actions": {"saga_id": status},
    "saga_step_logs": {"saga_id, seq": status},
    "events": {"aggregate_id, seq": status, "delivered_at": lambda shop: due(10)},
    "order_hours": {},
    "worker_heartbeats": {},
    "audit_runs": {},
    "batches": {},
    "batch_items": {"batch_id, order_id": results_of_a_batch, "result, due_at": lambda shop: due_items(10)},
    "event_receipts": {"event_id, consumer": lambda shop: cancel_order(shop.choreographed, "Changed my mind.")},
}
"""By table and columns, besides the primary keys: the query of the product that needs the index."""

CASES = [(table, columns) for table, indexes in INDEXES.items() for columns in indexes]


def query_of(table: str, columns: str) -> Query:
    return INDEXES[table][columns]


@pytest.fixture
def shop(api, operator, shelve) -> Shop:
    shelve(BOOK, 20)
    orders = {style: api.post("/orders", {**ORDER, "saga": style}).json()["order_id"] for style in SagaStyle}
    shop = Shop(api, signed_in(operator), operator, *(UUID(orders[style]) for style in SagaStyle))
    place(shop)
    return shop


def indexes_of(table: str) -> dict[str, str]:
    """Returns the columns of each index by its name. Raises AssertionError if two have the same columns."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    kept = {
        name: ", ".join(each["columns"])
        for name, each in found.items()
        if each["index"] or each["unique"] or each["primary_key"]
    }
    assert len(set(kept.values())) == len(kept), kept
    return kept


def expected_in(table: str) -> set[str]:
    return {MODELS[table]._meta.pk.column, *INDEXES[table]}


def documented() -> dict[str, set[str]]:
    """Returns the columns of the indexes that docs/database.md lists, by table."""
    _, *sections = re.split(r"^### ", (ROOT / "docs/database.md").read_text(), flags=re.M)
    return {each.split("\n")[0]: set(re.findall(r"^\| `([a-z_, ]+)` \|", each, flags=re.M)) for each in sections}


def used_by(act: Callable[[], object], table: str) -> set[str]:
    """Returns the indexes of this table that the database could use, or uses, in the statements of `act`."""
    with CaptureQueriesContext(connection) as queries:
        act()
    plans = [plan_of(each["sql"]) for each in queries if table in each["sql"]]
    return {name for plan in plans for step in plan for name in step} & indexes_of(table).keys()


def plan_of(sql: str) -> list[set[str]]:
    if not re.match(r"SELECT|UPDATE|DELETE|\(SELECT", sql):
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}")
        columns = [column[0].lower() for column in cursor.description]
        steps = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return [set(",".join([step["possible_keys"] or "", step["key"] or ""]).split(",")) for step in steps]


def test_no_table_has_another_index(db):
    assert {table: set(indexes_of(table).values()) for table in MODELS} == {
        table: expected_in(table) for table in MODELS
    }


def test_the_documentation_names_each_index():
    assert documented() == {table: expected_in(table) for table in MODELS}


@pytest.mark.parametrize(("table", "columns"), [case for case in CASES if query_of(*case) is nothing])
def test_an_index_that_no_query_uses_is_unique(db, table, columns):
    assert MODELS[table]._meta.get_field(columns).unique


@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite does not name the indexes that it could use")
@pytest.mark.parametrize(("table", "columns"), [case for case in CASES if query_of(*case) is not nothing])
def test_an_index_serves_its_query(shop, table, columns):
    found = used_by(lambda: query_of(table, columns)(shop), table)
    assert columns in {indexes_of(table)[name] for name in found}, found
