"""Finds orders by what people call them, and sagas by what state they are in."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from cloudmart.kernel.ids import first_id
from cloudmart.kernel.order_numbers import beginning_of
from orders.models import Order
from sagas.models import UNFINISHED, SagaInstance

MOST_ORDERS = 10
"""Orders whose numbers begin alike."""

NEEDS_ATTENTION = Q(status__in=UNFINISHED, attention__isnull=False, abandoned_at=None)
"""An operator must look at the saga. One has looked at abandoned ones already."""
IS_ABANDONED = Q(status__in=UNFINISHED, abandoned_at__isnull=False)


def orders_named(term: str) -> list[UUID]:
    """Returns the orders with this id, or whose short number begins so; at most MOST_ORDERS, the newest first."""
    try:
        named = Order.objects.filter(pk=UUID(term.strip()))
    except ValueError:
        if (number := beginning_of(term)) is None:
            return []
        named = Order.objects.filter(number__startswith=number)
    return list(named.order_by("-pk").values_list("pk", flat=True)[:MOST_ORDERS])


def found_sagas(
    *,
    statuses: Collection[str] = (),
    style: str = "",
    attention: bool = False,
    abandoned: bool = False,
    since: datetime | None = None,
) -> QuerySet[SagaInstance]:
    """Returns the sagas for which all of this holds, the newest first."""
    sagas = SagaInstance.objects.order_by("-pk")
    if statuses:
        sagas = sagas.filter(status__in=statuses)
    if style:
        sagas = sagas.filter(saga_type=style)
    if attention:
        sagas = sagas.filter(NEEDS_ATTENTION)
    if abandoned:
        sagas = sagas.filter(IS_ABANDONED)
    return sagas.filter(pk__gte=first_id(since)) if since else sagas
