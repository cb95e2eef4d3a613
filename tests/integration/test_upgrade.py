"""Shops of earlier versions: reactions had other names and reacted to fewer events, and no movements were counted."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations import RunPython

from cloudmart.database.clock import DatabaseNow
from inventory.models import StockMovement
from inventory.projector import catch_up
from orders.models import Mail, Order, SagaStyle
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.models import Event, EventReceipt, SagaInstance, State
from shipping.models import Shipment
from tests.conftest import order_snapshot
from tests.integration.test_audit import failing

migration = import_module("sagas.migrations.0012_receipts_of_renamed_reactions")
movements = import_module("inventory.migrations.0014_stock_movements")


@pytest.fixture(autouse=True)
def books(customer, shelve):
    shelve("book-123", 50)


def place(**changes):
    return engine.start(order_snapshot(("book-123", 1), style=SagaStyle.CHOREOGRAPHY, **changes)).order_id


def declined():
    return place(payment_token="tok_expired_card")


def cancelled():
    order_id = place()
    cancel_order(order_id, "Changed my mind.")
    return order_id


def as_before(order_id):
    """Gives the order's receipts the names that they had, and deletes those that there were not."""
    receipts = EventReceipt.objects.filter(event__aggregate_id=order_id)
    for event_type, consumer in migration.ADDED.items():
        receipts.filter(event__event_type=event_type, consumer=consumer).delete()
    for old, new in migration.RENAMED.items():
        receipts.filter(consumer=new).update(consumer=old)


def upgrade(migration=migration):
    for operation in migration.Migration.operations:
        if isinstance(operation, RunPython):
            operation.code(apps, None)


@pytest.mark.parametrize("end", [place, declined, cancelled])
def test_the_audit_holds_for_finished_orders(end):
    as_before(end())
    assert "events_have_receipts" in failing()
    for _ in range(2):
        upgrade()
        assert failing() == {}
    assert not Event.objects.filter(delivered_at=None).exists()


def test_an_order_whose_compensation_has_begun_is_cancelled():
    order_id = declined()
    as_before(order_id)
    Event.objects.filter(aggregate_id=order_id, event_type__in=["ShippingCancelled", "OrderCancelled"]).delete()
    Shipment.objects.filter(order_id=order_id).delete()
    Mail.objects.filter(order=order_id).delete()
    Order.objects.filter(pk=order_id).update(status="pending")
    SagaInstance.objects.filter(order_id=order_id).update(
        status=State.COMPENSATION_STARTED, finished_at=None, wake_at=DatabaseNow()
    )
    upgrade()
    call_command("run_worker", once=True)
    assert Order.objects.get(pk=order_id).status == "cancelled" and failing() == {}
    types = list(Event.objects.filter(aggregate_id=order_id).order_by("seq").values_list("event_type", flat=True))
    assert types[-2:] == ["ShippingCancelled", "OrderCancelled"] and len(types) == len(set(types))


def test_the_first_run_of_the_worker_counts_the_movements_of_the_whole_ledger():
    place()
    catch_up()
    counted = list(StockMovement.objects.values("book_id", "day", "added", "reserved", "sold"))
    assert counted
    StockMovement.objects.all().delete()
    upgrade(movements)
    assert "read_model_matches_ledger" in failing()
    call_command("run_worker", once=True)
    assert list(StockMovement.objects.values("book_id", "day", "added", "reserved", "sold")) == counted
    assert failing() == {}
