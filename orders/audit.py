"""What is always true of an order's own rows."""

from django.db.models import F, OuterRef

from cloudmart.database.invariants import Rows, invariant, total
from orders.models import Order, OrderItem, Status

PLACED = {Status.PENDING, Status.COMPLETED}


@invariant(Order.objects.filter(status__in=PLACED))
def order_is_its_items(orders: Rows) -> Rows:
    """The subtotal of an order that was placed is what its items cost together."""
    items = OrderItem.objects.filter(order=OuterRef("pk"))
    return orders.exclude(subtotal=total(items, F("unit_price") * F("quantity"), per="order"))


INVARIANTS = (order_is_its_items,)
