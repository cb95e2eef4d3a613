"""Services of the contexts, each call in its own transaction; and expiry of reservations and leases."""

from datetime import timedelta
from typing import Any

from django.core.management import call_command

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from inventory import services as inventory
from inventory.models import Reservation
from orders import services as orders
from sagas.models import SagaInstance
from shipping import services as shipping

add_stock = durable(inventory.add_stock)
set_low_stock_threshold = durable(inventory.set_low_stock_threshold)
adjust_stock = durable(inventory.adjust_stock)
reserve_stock = durable(inventory.reserve_stock)
set_reserved_quantities = durable(inventory.set_reserved_quantities)
extend_reservations = durable(inventory.extend_reservations)
confirm_stock = durable(inventory.confirm_stock)
release_stock = durable(inventory.release_stock)
expire_reservations = durable(inventory.expire_reservations)
create_order = durable(orders.create_order)
complete_order = durable(orders.complete_order)
cancel_order = durable(orders.cancel_order)
mark_as_shipped = durable(shipping.mark_as_shipped)
mark_as_delivered = durable(shipping.mark_as_delivered)


def let_reservations_expire(**which: Any) -> None:
    """Sets the expiry of these reservations, or of all, to one second ago."""
    Reservation.objects.filter(**which).update(expires_at=DatabaseNow() - timedelta(seconds=1))


def run_worker_after_leases_expire() -> None:
    """Every lease expires, and a worker resumes what is due."""
    SagaInstance.objects.update(lease_until=DatabaseNow(), wake_at=None)
    call_command("run_worker", once=True)


def run_worker() -> None:
    """Runs a worker once, when every waiting saga is due."""
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
    call_command("run_worker", once=True)
