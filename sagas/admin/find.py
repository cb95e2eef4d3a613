"""One search for everything: an order's number, a customer, a payment's reference, a tracking number, a book."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from cloudmart.kernel.money import formatted
from cloudmart.kernel.order_numbers import beginning_of, number_of, shown
from inventory.models import Book
from orders.models import Customer, Order
from payments.models import Payment, Refund
from shipping.models import Shipment

SEARCHED: tuple[type[Model], ...] = (Order, Customer, Payment, Refund, Shipment, Book)
"""Each is searched as on its own list: by key, or by how a value begins."""

MOST_FOUND, MOST_ORDERS = 10, 5
"""Rows shown of each kind, and orders of each customer."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found, as the page shows it."""

    title: str
    detail: str
    url: str
    order_id: str = ""

    def is_order_with(self, term: str) -> bool:
        """Returns True for an order whose id or number begins with the term."""
        if not self.order_id:
            return False
        number = beginning_of(term)
        has_number = number is not None and number_of(UUID(self.order_id)).startswith(number)
        return has_number or self.order_id.startswith(term.lower())


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows of one kind; `list_url` leads to the rest."""

    title: str
    hits: list[Hit]
    list_url: str
    has_more: bool


def find(request: HttpRequest) -> HttpResponse:
    """Responds with what the term finds; with a redirect if that is one row, or the number of one order."""
    term = request.GET.get("q", "").strip()
    groups = list(found(request, term)) if term else []
    hits = [hit for group in groups for hit in group.hits]
    named = [hit for hit in hits if hit.is_order_with(term)] or hits
    if len(named) == 1:
        return redirect(named[0].url)
    context = {
        **admin.site.each_context(request),
        "title": _("Results for “%(term)s”") % {"term": term} if term else _("Find"),
        "find_term": term,
        "groups": groups,
    }
    return TemplateResponse(request, "admin/sagas/find.html", context)


def found(request: HttpRequest, term: str) -> Iterator[Hits]:
    """Yields what the term finds among the tables that the user may view; nothing more if it names one order."""
    for model in SEARCHED:
        page: Any = admin.site._registry[model]
        if not page.has_view_permission(request):
            continue
        matching, _has_duplicates = page.get_search_results(request, page.get_queryset(request), term)
        rows = list(matching.order_by(*page.get_ordering(request))[: MOST_FOUND + 1])
        if rows:
            group = hits_of(model, rows, term)
            yield group
            if len(rows) == 1 and group.hits[0].is_order_with(term):
                return
        if model is Customer:
            yield from orders_of(request, rows)


def hits_of(model: type[Model], rows: list[Any], term: str) -> Hits:
    meta = model._meta
    list_url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist", query={"q": term})
    shown_rows = [hit_of(row) for row in rows[:MOST_FOUND]]
    return Hits(str(meta.verbose_name_plural).capitalize(), shown_rows, list_url, len(rows) > MOST_FOUND)


def orders_of(request: HttpRequest, customers: list[Customer]) -> Iterator[Hits]:
    """Yields the newest orders of a customer that was found by itself."""
    if len(customers) != 1 or not request.user.has_perm("orders.view_order"):
        return
    (customer,) = customers
    rows = list(Order.objects.filter(customer=customer).order_by("-created_at", "-id")[: MOST_ORDERS + 1])
    if rows:
        list_url = reverse("admin:orders_order_changelist", query={"q": customer.pk})
        title = _("Newest orders of %(name)s") % {"name": customer.name}
        yield Hits(title, [hit_of(row) for row in rows[:MOST_ORDERS]], list_url, len(rows) > MOST_ORDERS)


def hit_of(row: Any) -> Hit:
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)])
    match row:
        case Order():
            detail = f"{row.get_status_display()} · {formatted(row.total)} · {row.customer_id}"
            return Hit(shown(row.pk), detail, url, str(row.pk))
        case Customer():
            return Hit(row.name, f"{row.pk} · {row.email}", url)
        case Payment():
            return Hit(row.transaction_id or str(row.pk), _of_order(formatted(row.amount), row.order_id), url)
        case Refund():
            return Hit(row.transaction_id or str(row.pk), f"{row.get_status_display()} · {formatted(row.amount)}", url)
        case Shipment():
            return Hit(row.tracking_number or str(row.pk), _of_order(row.carrier, row.order_id), url)
        case _:
            return Hit(row.title, row.pk, url)


def _of_order(what: str, order_id: Any) -> str:
    return _("%(what)s · order %(number)s") % {"what": what, "number": shown(order_id)}
