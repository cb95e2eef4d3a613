"""The list of orders: how each stands, and filters by that, by the failure, and by the day."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cloudmart.api.catalogue import meaning_of
from cloudmart.pages import changelists
from cloudmart.pages.cells import Badge, column, linked
from inventory.movements import day_of
from orders.models import Order, Status
from sagas.engine.lease import is_waiting
from sagas.models import CANCELLED, RETURNED, UNFINISHED, SagaInstance, State
from sagas.operations.standing import TIMED_OUT, Standing, standing_of

Orders = QuerySet[Order]
Sagas = QuerySet[SagaInstance]

FAILURES = (
    "payment_declined",
    "payment_unavailable",
    "shipping_failed",
    "out_of_stock",
    "reservation_expired",
    TIMED_OUT,
)
"""The codes with which most orders fail."""


class OrderList(changelists.IndexedChangeList):
    """Reads the keys of the page from an index first, then the rows, each with its saga in `saga`.

    Asked for whole rows of many days in the order of their time, MariaDB reads and sorts all of them.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        keys = list(self.result_list.prefetch_related(None).values_list("pk", flat=True))
        orders = self.root_queryset.prefetch_related(*self.model_admin.list_prefetch_related).in_bulk(keys)
        sagas = SagaInstance.objects.defer("payload").in_bulk(keys, field_name="order_id")
        self.result_list = [orders[key] for key in keys if key in orders]
        for order in self.result_list:
            order.saga = sagas.get(order.pk)


customer = column(
    _("customer"), lambda order: linked("orders_customer_change", order.customer_id, order.customer.name), "customer"
)
standing = column(
    _("standing"), lambda order: badge_of(standing_of(order.status, order.saga, timezone.now())), "standing"
)
standing_of_saga = column(_("standing"), lambda saga: badge_of(standing_of("", saga, timezone.now())), "standing")


def badge_of(standing: Standing) -> str:
    return str(Badge(standing.tone, standing.label))


class StandingFilter(admin.SimpleListFilter):
    """How an order stands. Those whose saga says it are found by the index of sagas, at most MOST_COUNTED of them."""

    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, Standing(value).label) for value in FOUND_BY]

    def queryset(self, request: HttpRequest, queryset: Orders) -> Orders | None:
        found_by = FOUND_BY.get(self.value() or "")
        return found_by(queryset) if found_by else None


class FailureFilter(admin.SimpleListFilter):
    """The code with which an order failed, among the newest failed ones."""

    title = _("failure")
    parameter_name = "failure"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(code, _(meaning_of(code))) for code in FAILURES]

    def queryset(self, request: HttpRequest, queryset: Orders) -> Orders | None:
        return _failed_with(queryset, {self.value()}) if self.value() else None


def _failed_with(orders: Orders, codes: set[str | None]) -> Orders:
    return orders.filter(pk__in=[order_id for order_id, code in _newest_failures() if code in codes])


def _failed_otherwise(orders: Orders) -> Orders:
    others = {CANCELLED, RETURNED, TIMED_OUT}
    return orders.filter(pk__in=[order_id for order_id, code in _newest_failures() if code not in others])


def _newest_failures() -> list[tuple[Any, str | None]]:
    """Returns the order and the code of each of the newest failed sagas, which the index by status has in order."""
    failed = SagaInstance.objects.filter(status=State.FAILED).order_by("-wake_at", "-pk")
    return list(failed.values_list("order_id", "failure__code")[: changelists.MOST_COUNTED])


def _cancelled(orders: Orders) -> Orders:
    """Returns the placed orders that were cancelled, and the drafts."""
    placed = [order_id for order_id, code in _newest_failures() if code == CANCELLED]
    saga = SagaInstance.objects.filter(order_id=OuterRef("pk"))
    newest = Order.objects.filter(status=Status.CANCELLED).order_by("-created_at", "-pk")
    found = newest.values_list("pk", Exists(saga))[: changelists.MOST_COUNTED]
    drafts = [order_id for order_id, has_saga in found if not has_saga]
    return orders.filter(pk__in=[*placed, *drafts])


def _unfinished(orders: Orders, sagas: Sagas) -> Orders:
    found = sagas.filter(status__in=UNFINISHED).values_list("order_id", flat=True)[: changelists.MOST_COUNTED]
    return orders.filter(pk__in=list(found))


def _driven() -> Sagas:
    return SagaInstance.objects.exclude(is_waiting()).filter(abandoned_at=None, attention=None)


FOUND_BY: dict[str, Callable[[Orders], Orders]] = {
    Standing.DRAFT: lambda orders: orders.filter(status=Status.DRAFT),
    Standing.RUNNING: lambda orders: _unfinished(orders, _driven()),
    Standing.WAITING: lambda orders: _unfinished(orders, SagaInstance.objects.filter(is_waiting(), attention=None)),
    Standing.ATTENTION: lambda orders: _unfinished(
        orders, SagaInstance.objects.filter(abandoned_at=None, attention__isnull=False)
    ),
    Standing.ABANDONED: lambda orders: _unfinished(orders, SagaInstance.objects.filter(abandoned_at__isnull=False)),
    Standing.COMPLETED: lambda orders: orders.filter(status=Status.COMPLETED),
    Standing.FAILED: _failed_otherwise,
    Standing.TIMED_OUT: lambda orders: _failed_with(orders, {TIMED_OUT}),
    Standing.CANCELLED: _cancelled,
    Standing.RETURNED: lambda orders: orders.filter(status=Status.RETURNED),
}


class DayFilter(admin.ListFilter):
    """The days on which orders were created, in the shop's time zone: some usual ones, or from one to another."""

    title = _("day")
    template = "admin/orders/order/day_filter.html"
    since, until = "since", "until"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.used_parameters = {name: params.pop(name)[-1] for name in self.expected_parameters() if name in params}
        self.others: list[tuple[str, str]] = []

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.since, self.until]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        others = {
            name: each for name, each in changelist.filter_params.items() if name not in self.expected_parameters()
        }
        self.others = [(name, value) for name, values in others.items() for value in values]
        yield {
            "selected": not self.used_parameters,
            "query_string": changelist.get_query_string(remove=self.expected_parameters()),
            "display": _("Any day"),
        }
        for display, days in _usual_days():
            yield {
                "selected": self.used_parameters == days,
                "query_string": changelist.get_query_string(days, [self.until]),
                "display": display,
            }

    def queryset(self, request: HttpRequest, queryset: Orders) -> Orders:
        since, until = (_day(str(self.used_parameters.get(name))) for name in (self.since, self.until))
        if since:
            queryset = queryset.filter(created_at__gte=_start_of(since))
        return queryset.filter(created_at__lt=_start_of(until + timedelta(days=1))) if until else queryset


def _usual_days() -> Iterator[tuple[Any, dict[str, str]]]:
    today = day_of(timezone.now())
    yesterday = str(today - timedelta(days=1))
    yield _("Today"), {"since": str(today)}
    yield _("Yesterday"), {"since": yesterday, "until": yesterday}
    yield _("The last 7 days"), {"since": str(today - timedelta(days=6))}
    yield _("The last 30 days"), {"since": str(today - timedelta(days=29))}


def _day(text: str) -> date | None:
    """Returns the day; None if it is none, or has no day before or after it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date.min < day < date.max else None


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=settings.SHOP_TIME_ZONE)
