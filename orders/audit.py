"""The invariants of an order's own rows."""

from django.db.models import F, OuterRef

from cloudmart.database.invariants import Rows, invariant, total
from orders.models import Order, OrderItem, Status

PLACED = {Status.PENDING, Status.COMPLETED, Status.RETURNED}


@invariant(Order.objects.filter(status__in=PLACED))
def order_is_its_items(orders: Rows) -> Rows:
    """The subtotal of a placed order is the sum of its items."""
    items = OrderItem.objects.filter(order=OuterRef("pk"))
    return orders.exclude(subtotal=total(items, F("unit_price") * F("quantity"), per="order"))


INVARIANTS = (order_is_its_items,)
