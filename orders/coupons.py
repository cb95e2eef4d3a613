"""The uses of coupons that have a limit. Each function runs in its caller's transaction."""

from uuid import UUID

from django.db.models import F, Q

from cloudmart.database.prepared import Insert, Update
from orders.errors import CouponNotValid
from orders.price_rules import CouponUse, Discount

ONE_MORE, ONE_LESS = F("uses") + 1, F("uses") - 1
LEFT = Update(lambda code: Discount.objects.filter(Q(uses__lt=F("max_uses")) | Q(max_uses=None), code=code))
INSERT_USE = Insert(CouponUse)


def use_coupon(order_id: UUID, coupon: Discount | None) -> None:
    """Counts the order as a use of its coupon, if that has a limit. Raises CouponNotValid if nothing is left of it."""
    if coupon is None or coupon.max_uses is None:
        return
    if not LEFT(code=coupon.code).set(uses=ONE_MORE):
        raise CouponNotValid(reason="used_up", coupon=coupon.code)
    INSERT_USE(CouponUse(order_id=order_id, coupon=coupon))


def give_back_coupon(order_id: UUID) -> None:
    """The order no longer counts as a use of its coupon. A second call changes nothing."""
    if use := CouponUse.objects.filter(pk=order_id).first():
        Discount.objects.filter(code=use.coupon_id).update(uses=ONE_LESS)
        CouponUse.objects.filter(pk=order_id).delete()
