"""The pages of the desk; and every list over a table that grows: plain, filtered, searched, and its last page."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from cloudmart.kernel.ids import new_id
from inventory.models import Book
from orders.models import Order, SagaStyle
from sagas.batches import Batch
from sagas.models import OperatorCommand, SagaInstance, State
from sagas.operations.batches.choosing import MOST_AT_ONCE
from sagas.operations.batches.queue import store
from sagas.operations.desk_commands import DeskCommand

APPS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
OTHERS = ("auth.User", "knox.AuthToken")


class Page(NamedTuple):
    """A page, and what it shows of which table."""

    model: type[Model]
    shows: str
    url: str


def desk_pages() -> Iterator[Page]:
    """Yields the pages that read many tables: home, an order in each style, both compared, a book, and the search."""
    yield Page(SagaInstance, "home", reverse("admin:index"))
    yield Page(SagaInstance, "compare styles", reverse("admin:compare_orders"))
    completed = SagaInstance.objects.filter(status=State.COMPLETED)
    orders = {style: completed.filter(saga_type=style).latest("pk").order_id for style in SagaStyle.values}
    for style, order_id in orders.items():
        yield Page(Order, f"order, {style}", reverse("admin:orders_order_change", args=[order_id]))
        yield Page(Order, f"cancel, {style}", reverse("admin:order_command", args=[order_id, OperatorCommand.CANCEL]))
    pair = dict(zip(("left", "right"), orders.values(), strict=True))
    yield Page(Order, "compare", f"{reverse('admin:compare_orders')}?{urlencode(pair)}")
    yield Page(Order, "compare, none chosen", reverse("admin:compare_orders"))
    batch_id, chosen = new_id(), Order.objects.values_list("pk", flat=True)[:MOST_AT_ONCE]
    store(batch_id, DeskCommand.RETRY, list(chosen), actor="boss", reason="")
    yield Page(Batch, f"batch of {MOST_AT_ONCE}", reverse("admin:batch", args=[batch_id]))
    order = Order.objects.get(pk=orders[SagaStyle.ORCHESTRATION])
    book_id = order.items.get().book_id
    yield Page(Book, "book", reverse("admin:inventory_book_change", args=[book_id]))
    terms = {
        "an order": order.number,
        "a part of an order": order.number[:4],
        "a customer": order.customer.name,
        "an e-mail": order.customer.email,
        "a book": book_id,
        "nothing": "no such thing",
    }
    for what, term in terms.items():
        yield Page(Order, f"search: {what}", f"{reverse('admin:find')}?{urlencode({'q': term})}")


def admins() -> Iterator[admin.ModelAdmin]:
    """Yields the admins of the project's own tables, and of the other ones that grow with the customers."""
    for model, page in admin.site._registry.items():
        if model._meta.app_label in APPS or model._meta.label in OTHERS:
            yield page


def pages(client: Client) -> Iterator[Page]:
    for page in admins():
        options = page.model._meta
        url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        cl = client.get(url, secure=True).context_data["cl"]
        yield Page(page.model, "list", url)
        if cl.paginator.num_pages > 1:
            yield Page(page.model, f"page {cl.paginator.num_pages}", f"{url}?p={cl.paginator.num_pages}")
        for shows, query in (*filters(cl), *searches(page)):
            yield Page(page.model, shows, f"{url}?{query}")


def filters(cl: Any) -> Iterator[tuple[str, str]]:
    """Yields every choice of every filter, and every two filters together."""
    choices = [
        [(f"{spec.title} = {choice['display']}", choice["query_string"][1:]) for choice in list(spec.choices(cl))[1:]]
        for spec in cl.filter_specs
    ]
    for of_one in choices:
        yield from of_one
    for (*_, (last, query)), ((first, other), *_) in combinations(filter(None, choices), 2):
        yield f"{last}, {first}", f"{query}&{other}"


def searches(page: admin.ModelAdmin) -> Iterator[tuple[str, str]]:
    """Yields a search by each key of the oldest row, and one that finds nothing."""
    row = page.model._default_manager.order_by("pk").first()
    yield "search: nothing", "q=00000000-0000-4000-8000-000000000000"
    for path in page.search_fields if row else ():
        value = value_of(row, path.lstrip("^"))
        yield f"search: {path}", f"q={value[:-2] if path.startswith('^') else value}"


def value_of(row: Any, path: str) -> str:
    for name in path.split("__"):
        row = getattr(row, row._meta.get_field(name).attname if name == path.split("__")[-1] else name)
    return str(row)
