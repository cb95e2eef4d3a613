"""Every kind of page of the site."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.urls import reverse

from inventory.models import Book
from inventory.stock_changes import COMMANDS
from orders.models import Order
from sagas.batches import Batch
from sagas.models import SagaInstance
from sagas.operations.desk_commands import DeskCommand

PUBLIC = ["/", "/docs", "/docs/errors"]
"""Pages for everybody."""
ADDABLE = {
    "auth_user",
    "auth_group",
    "cloudmart_webhookendpoint",
    "inventory_book",
    "orders_customer",
    "orders_discount",
    "orders_taxrate",
}
"""The models that people add rows of."""


def pages_of_the_admin() -> Iterator[str]:
    """Yields the paths of every list, with its first row and the form for a new one, and of the pages of no table."""
    yield from (reverse(f"admin:{name}") for name in ("index", "password_change", "compare_orders"))
    yield from (reverse("admin:find") + f"?q={term}" for term in ("customer-001", "nothing"))
    for model in admin.site._registry:
        yield from pages_of(model)
    for saga in SagaInstance.objects.all():
        yield reverse("admin:orders_order_change", args=[saga.order_id])
    newest = Order.objects.order_by("-pk")[0]
    yield reverse("admin:orders_order_change", args=[newest.pk])
    yield from (reverse("admin:order_command", args=[newest.pk, command]) for command in DeskCommand)
    yield from (reverse("admin:batch", args=[batch.pk]) for batch in Batch.objects.all())
    yield from (reverse(f"admin:inventory_{name}_report") for name in ("reservation", "stockmovement"))
    book = Book.objects.first()
    yield from (reverse(f"admin:inventory_book_{command.name}", args=[book.pk]) for command in COMMANDS)


def pages_of(model: Any) -> Iterator[str]:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    yield reverse(f"admin:{name}_changelist")
    if row := model._default_manager.first():
        yield from (reverse(f"admin:{name}_{view}", args=[row.pk]) for view in ("change", "history"))
    if name in ADDABLE:
        yield reverse(f"admin:{name}_add")
