"""The invariants of an order's own rows."""

from django.db.models import Exists, F, OuterRef, Value

from cloudmart.database.invariants import Rows, invariant, total
from orders.models import Order, OrderItem, Status
from orders.price_rules import CouponUse, Discount

PLACED = {Status.PENDING, Status.COMPLETED, Status.RETURNED}


@invariant(Order.objects.filter(status__in=PLACED))
def order_is_its_items(orders: Rows) -> Rows:
    """The subtotal of a placed order is the sum of its items."""
    items = OrderItem.objects.filter(order=OuterRef("pk"))
    return orders.exclude(subtotal=total(items, F("unit_price") * F("quantity"), per="order"))


@invariant(Discount.objects.filter(code__isnull=False), named_by=("code",))
def coupon_uses_add_up(coupons: Rows) -> Rows:
    """The uses of a coupon are as many as the orders that count as one."""
    counted = CouponUse.objects.filter(coupon=OuterRef("code"))
    return coupons.exclude(uses=total(counted, Value(1), per="coupon"))


@invariant(CouponUse)
def counted_use_has_its_order(uses: Rows) -> Rows:
    """An order that counts as a use of a coupon was placed with it, and is not cancelled."""
    placed = Order.objects.filter(status__in=PLACED)
    return uses.exclude(Exists(placed.filter(pk=OuterRef("pk"), coupon=OuterRef("coupon"))))


INVARIANTS = (order_is_its_items, coupon_uses_add_up, counted_use_has_its_order)
