"""Every database enforces the length of text columns, including databases that existed before."""

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor

from cloudmart.database.fields import CharField
from cloudmart.kernel.ids import new_id
from sagas.models import SagaInstance

MODELS = [
    model
    for name in ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
    for model in apps.get_app_config(name).get_models()
]
BEFORE = [("inventory", "0005_read_model"), ("payments", "0003_one_for_good")]
IS_SQLITE = connection.vendor == "sqlite"


def texts_of(model):
    return [field for field in model._meta.local_fields if isinstance(field, models.CharField)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_text_column_uses_the_field_whose_length_is_enforced(model):
    assert [field.name for field in texts_of(model) if not isinstance(field, CharField)] == []


@pytest.mark.parametrize("length", [200, 201, 338])
def test_only_a_text_that_is_too_long_is_rejected(transactional_db, length):
    saga = SagaInstance(saga_type="orchestration", order_id=new_id(), payload={}, attention="👩🏽" * (length // 2))
    saga.attention += "x" * (length % 2)
    if length <= 200:
        saga.save()
        assert SagaInstance.objects.get().attention == saga.attention
    else:
        with pytest.raises(DatabaseError), transaction.atomic():
            saga.save()


@pytest.fixture
def before(transactional_db):
    """The apps before SQLite enforced lengths. The database is migrated forward afterwards."""
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    executor.migrate(BEFORE)
    yield executor.loader.project_state(BEFORE).apps
    migrate(latest)


def migrate(targets):
    MigrationExecutor(connection).migrate(targets)


def latest_of(*names):
    return [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] in names]


def test_the_migration_cuts_long_texts_and_the_ledger_stays_append_only(before):
    reason = "x" * (338 if IS_SQLITE else 200)
    shelf = old_shelf(before)
    before.get_model("inventory", "StockEvent").objects.create(
        shelf=shelf,
        version=1,
        type="StockAdded",
        on_hand_delta=1,
        reserved_delta=0,
        on_hand_after=1,
        reserved_after=0,
        reason=reason,
        actor="somebody",
    )

    migrate(latest_of("inventory"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT reason, actor FROM stock_events")
        assert cursor.fetchall() in ([("x" * 200, "somebody")], (("x" * 200, "somebody"),))
        for change in ("UPDATE stock_events SET reason = 'y'", "DELETE FROM stock_events"):
            with pytest.raises(DatabaseError, match="append-only"):
                cursor.execute(change)


def test_the_migration_keeps_references(before):
    reference = "x" * (255 if IS_SQLITE else 64)
    before.get_model("payments", "Payment").objects.create(
        order_id=new_id(),
        customer_id="customer-001",
        amount=1,
        status="captured",
        transaction_id=reference,
        idempotency_key="charge-1",
    )

    migrate(latest_of("payments"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT transaction_id FROM payments")
        assert cursor.fetchone() == (reference,)


def old_shelf(before):
    book = before.get_model("inventory", "Book").objects.create(id="book-123", title="A book", price=1000)
    return before.get_model("inventory", "InventoryRecord").objects.create(book=book, on_hand=1, version=1)
