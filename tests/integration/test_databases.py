"""Differences between databases that the code must not depend on."""

import re

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from cloudmart.kernel.ids import new_id
from inventory.models import Reservation, StockEvent
from orders.models import Customer, SagaStyle
from payments.models import Payment
from sagas.models import EventReceipt, SagaInstance
from shipping.models import Shipment
from tests import committed
from tests.bookkeeping import findings
from tests.factories import BookFactory, CustomerFactory
from tests.known_bugs import known_bug

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
MODELS = [
    model
    for name in ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
    for model in apps.get_app_config(name).get_models()
]
SIMILAR = ("code", "CODE", "Code")
SIMILAR_IN_ANY_SCRIPT = (*SIMILAR, "côde", "ｃｏｄｅ")


@pytest.fixture
def order_everything(api, shelve):
    """Places orders that complete, fail, are cancelled or were drafts. Returns the id of a completed one."""
    shelve("book-123", 50)

    def order_everything(style):
        body = {**ORDER, "saga": style}
        placed, cancelled = (api.post("/orders", body).json()["order_id"] for _ in range(2))
        assert api.post(f"/orders/{cancelled}/cancel").status_code == 200
        assert api.post("/orders", {**body, "payment_token": "tok_insufficient_funds"}).status_code == 402
        assert api.post("/orders", {**body, "shipping_address": "999-9999"}).status_code == 409
        draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"})["Location"]
        for _ in range(2):
            assert api.post(f"{draft}/items", {"book_id": "book-123", "quantity": 1}).status_code == 200
        assert api.post(f"{draft}/confirm").status_code == 200
        return placed

    return order_everything


@known_bug("Jepsen: MySQL 8.0.34", "SQLite: deferred transactions")
def test_transactions_have_the_expected_isolation(transactional_db):
    if connection.vendor == "sqlite":
        assert connection.transaction_mode == "IMMEDIATE"
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')")
        assert {value for _, value in cursor.fetchall()} == {"READ-COMMITTED"}


@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite is never in another mode")
@pytest.mark.parametrize("outcome", ["COMMIT", "ROLLBACK"])
def test_a_transaction_adds_two_round_trips_to_its_statements(transactional_db, outcome):
    CustomerFactory()
    with connection.cursor() as cursor:

        def round_trips():
            cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
            return int(cursor.fetchone()[1])

        before = round_trips()
        with transaction.atomic(durable=True):
            cursor.execute("DELETE FROM customers")
            transaction.set_rollback(outcome == "ROLLBACK")
        assert round_trips() - before == len(["BEGIN", "DELETE", outcome, "SHOW"])
    assert Customer.objects.exists() == (outcome == "ROLLBACK")
    assert connection.connection.get_autocommit()


@known_bug("MySQL: rows changed")
def test_an_update_counts_the_rows_that_match(customer):
    """MySQL by itself counts only changed rows. A compare-and-set may set a value that is already there."""
    for _ in range(2):
        assert Customer.objects.filter(pk=customer.pk).update(name="Sato") == 1


@known_bug("MySQL: SET from left to right")
@pytest.mark.parametrize("style", SagaStyle)
def test_no_update_reads_a_column_that_it_also_sets(order_everything, style):
    """MySQL would read the new value."""
    updates = set()

    def record(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            updates.add(sql.replace("`", '"'))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        order_everything(style)
    assert any('"fence" + ' in sql for sql in updates)
    for sql in updates:
        assert not columns_read_elsewhere(sql), sql


def columns_read_elsewhere(update):
    """Returns the columns that an UPDATE sets and also reads to set another one."""
    assignments = update.partition(" SET ")[2].partition(" WHERE ")[0]
    _, *parts = re.split(r'(?:^|, )"(\w+)" = ', assignments)
    values = dict(zip(parts[::2], parts[1::2], strict=True))
    return {
        name for name in values for other, value in values.items() if other != name and re.search(rf'"{name}"', value)
    }


def test_the_check_detects_such_an_update():
    assert columns_read_elsewhere('UPDATE "t" SET "a" = ("t"."a" - %s), "b" = "t"."a" WHERE "t"."id" = %s') == {"a"}


@known_bug("MySQL: no partial unique index")
@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize("model", [SagaInstance, Payment, Shipment, Reservation])
def test_the_database_allows_one_row_per_order(order_everything, style, model):
    again = model.objects.get(order_id=order_everything(style))
    again.pk = new_id()
    if hasattr(again, "idempotency_key"):
        again.idempotency_key = "another"
    with pytest.raises(IntegrityError):
        again.save(force_insert=True)


@known_bug("MySQL: no partial unique index")
def test_no_constraint_needs_a_partial_index():
    constraints = [each for model in MODELS for each in model._meta.constraints]
    unique = [each for each in constraints if isinstance(each, models.UniqueConstraint)]
    assert unique and not [each.name for each in unique if each.condition]


@known_bug("MySQL: collation")
def test_similar_codes_are_different_codes(transactional_db):
    for code in SIMILAR:
        CustomerFactory(id=code, user=None)
        BookFactory(id=code)
    assert set(Customer.objects.filter(pk="CODE").values_list("pk", flat=True)) == {"CODE"}


@known_bug("MySQL: collation")
def test_similar_references_are_different_references(shelve):
    shelve("book-123", 0)
    for _ in range(2):
        for reference in SIMILAR_IN_ANY_SCRIPT:
            committed.add_stock("book-123", 1, reference=reference)
    references = StockEvent.objects.order_by("version").values_list("reference", flat=True)
    assert tuple(references) == SIMILAR_IN_ANY_SCRIPT


@known_bug("SQLite: decimals")
def test_amounts_are_integers():
    """A rate is not an amount: a percentage has three exact decimals, and none is summed in the database."""
    fields = [field for model in MODELS for field in model._meta.get_fields()]
    others = [field for field in fields if isinstance(field, models.DecimalField | models.FloatField)]
    assert {str(field) for field in others} == {"orders.Discount.percent_off", "orders.TaxRate.percent"}
    assert {(field.max_digits, field.decimal_places) for field in others} == {(6, 3)}


@known_bug("MySQL: no RETURNING")
@pytest.mark.parametrize("style", SagaStyle)
def test_no_insert_depends_on_returned_ids(order_everything, style, monkeypatch):
    """MySQL does not return the ids of a multi-row INSERT; MariaDB and SQLite do."""
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
    order_everything(style)
    assert EventReceipt.objects.exists() == (style == SagaStyle.CHOREOGRAPHY)
    assert findings() == {}
