"""What is always true of an order, its saga, and what the four contexts keep for it, in both styles.

Operators may do more: hold other books for an order than its own, give a completed one's money back, call its parcel
off. But whoever has asked for it, there is no money and no parcel for an order that is cancelled.
"""

from functools import reduce
from operator import or_

from django.conf import settings
from django.db.models import Exists, F, Model, OuterRef, Q
from django.db.models.lookups import LessThanOrEqual

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.invariants import Rows, invariant, total
from inventory.audit import copies_if
from inventory.models import Reservation
from inventory.models import Status as HoldStatus
from orders.models import Order, OrderItem
from orders.models import Status as OrderStatus
from payments.audit import LIVE as LIVE_CHARGE
from payments.models import TAKEN, Payment
from payments.services import BY_THE_SAGA
from sagas.engine.lease import DUE_SINCE, is_due
from sagas.models import UNFINISHED, SagaInstance, State
from shipping.audit import LIVE as LIVE_PARCEL
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus

ORDER_WHILE: dict[str, set[OrderStatus]] = {
    **{state: {OrderStatus.PENDING} for state in State},
    State.COMPLETED: {OrderStatus.COMPLETED},
    State.COMPENSATION_STARTED: {OrderStatus.PENDING, OrderStatus.COMPLETED},
    State.FAILED: {OrderStatus.CANCELLED},
}
"""What an order may be in each state of its saga."""


def of_order(model: type[Model]) -> Rows:
    """The rows of the outer order."""
    return model._default_manager.filter(order_id=OuterRef("pk"))


def left_alone() -> Q:
    """Sagas that have been due for longer than it takes a worker to find them."""
    return is_due() & Q(LessThanOrEqual(DUE_SINCE, DatabaseNow() - settings.AUDIT_GRACE))


PLACED = Order.objects.filter(status__in={OrderStatus.PENDING, OrderStatus.COMPLETED})
COMPLETED = Order.objects.filter(
    Exists(of_order(SagaInstance).filter(status=State.COMPLETED)), status=OrderStatus.COMPLETED
)
"""None that is being cancelled just now."""
CANCELLED = Order.objects.filter(status=OrderStatus.CANCELLED)


@invariant(PLACED)
def order_has_saga(orders: Rows) -> Rows:
    """Every order that was placed has a saga; a draft has none."""
    return orders.exclude(Exists(of_order(SagaInstance)))


@invariant(SagaInstance, named_by=("order_id",))
def saga_fits_order(sagas: Rows) -> Rows:
    """Every saga has its order, which is what the saga's state says: completed, cancelled, or still pending."""
    fits = (
        Q(status=state) & Exists(Order.objects.filter(pk=OuterRef("order_id"), status__in=statuses))
        for state, statuses in ORDER_WHILE.items()
    )
    return sagas.exclude(reduce(or_, fits))


@invariant(SagaInstance, named_by=("order_id",))
def saga_rests_or_goes_on(sagas: Rows) -> Rows:
    """Every saga is at rest, or is being driven, or knows when it goes on, or was given up with a reason."""
    return sagas.filter(left_alone(), status__in=UNFINISHED)


@invariant(COMPLETED)
def completed_is_sold(orders: Rows) -> Rows:
    """What a completed order has taken from the shelves is exactly its items."""
    its_hold = Reservation.objects.filter(order_id=OuterRef("order_id"), shelf=OuterRef("book_id"))
    bought = its_hold.filter(quantity=OuterRef("quantity"), status=HoldStatus.CONFIRMED)
    unsold = of_order(OrderItem).exclude(Exists(bought))
    ordered = total(of_order(OrderItem), "quantity", per="order")
    sold = total(of_order(Reservation), copies_if(HoldStatus.CONFIRMED), per="order_id")
    return orders.annotate(ordered=ordered, sold=sold).exclude(~Exists(unsold), ordered=F("sold"))


@invariant(COMPLETED)
def completed_is_paid(orders: Rows) -> Rows:
    """The total of a completed order was taken, and its saga has given none of it back."""
    taken = of_order(Payment).filter(amount=OuterRef("total"), status__in=TAKEN)
    return orders.exclude(Exists(taken.exclude(refunds__reference=BY_THE_SAGA)))


@invariant(COMPLETED)
def completed_is_sent(orders: Rows) -> Rows:
    """The carrier has taken on the parcel of a completed order."""
    refused = {ParcelStatus.PENDING, ParcelStatus.FAILED}
    return orders.exclude(Exists(of_order(Shipment).exclude(status__in=refused).exclude(tracking_number="")))


@invariant(CANCELLED)
def cancelled_holds_no_stock(orders: Rows) -> Rows:
    """Nothing is sold to a cancelled order, and none of its items is held."""
    item = OrderItem.objects.filter(
        order=OuterRef("order_id"), book_id=OuterRef("shelf"), quantity=OuterRef("quantity")
    )
    kept = Q(status=HoldStatus.CONFIRMED) | Q(status=HoldStatus.ACTIVE) & Exists(item)
    return orders.filter(Exists(of_order(Reservation).filter(kept)))


@invariant(CANCELLED)
def cancelled_holds_no_money(orders: Rows) -> Rows:
    """No money is kept for a cancelled order, nor is any on its way."""
    return orders.filter(Exists(of_order(Payment).filter(status__in=LIVE_CHARGE)))


@invariant(CANCELLED)
def cancelled_has_no_parcel(orders: Rows) -> Rows:
    """No parcel is on its way for a cancelled order."""
    return orders.filter(Exists(of_order(Shipment).filter(status__in=LIVE_PARCEL)))


INVARIANTS = (
    order_has_saga,
    saga_fits_order,
    saga_rests_or_goes_on,
    completed_is_sold,
    completed_is_paid,
    completed_is_sent,
    cancelled_holds_no_stock,
    cancelled_holds_no_money,
    cancelled_has_no_parcel,
)
