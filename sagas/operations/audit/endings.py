"""Invariants of an order, its saga, and what the four contexts store for it, in both styles.

Operators may reserve other books for an order than its own, refund a completed order, and cancel its parcel. But a
cancelled or returned order has no money and no parcel, no matter who requested them.
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
    State.FAILED: {OrderStatus.CANCELLED, OrderStatus.RETURNED},
}
"""The statuses that an order may have in each state of its saga."""


def of_order(model: type[Model]) -> Rows:
    """Returns the rows of the outer order."""
    return model._default_manager.filter(order_id=OuterRef("pk"))


def is_overdue() -> Q:
    """Sagas that have been due for longer than a worker takes to find them."""
    return is_due() & Q(LessThanOrEqual(DUE_SINCE, DatabaseNow() - settings.AUDIT_GRACE))


PLACED = Order.objects.filter(status__in={OrderStatus.PENDING, OrderStatus.COMPLETED, OrderStatus.RETURNED})
COMPLETED = Order.objects.filter(
    Exists(of_order(SagaInstance).filter(status=State.COMPLETED)), status=OrderStatus.COMPLETED
)
"""Not those that are being cancelled or returned."""
UNDONE = Order.objects.filter(status__in={OrderStatus.CANCELLED, OrderStatus.RETURNED})
RETURNED = Order.objects.filter(status=OrderStatus.RETURNED)


@invariant(PLACED)
def order_has_saga(orders: Rows) -> Rows:
    """Every order that was placed has a saga; a draft has none."""
    return orders.exclude(Exists(of_order(SagaInstance)))


@invariant(SagaInstance, named_by=("order_id",))
def saga_fits_order(sagas: Rows) -> Rows:
    """Every saga has its order, whose status fits the saga's state: completed, undone, or still pending."""
    fits = (
        Q(status=state) & Exists(Order.objects.filter(pk=OuterRef("order_id"), status__in=statuses))
        for state, statuses in ORDER_WHILE.items()
    )
    return sagas.exclude(reduce(or_, fits))


@invariant(SagaInstance, named_by=("order_id",))
def saga_is_finished_or_driven(sagas: Rows) -> Rows:
    """Every saga is finished, driven, waiting for its next attempt, or abandoned with a reason."""
    return sagas.filter(is_overdue(), status__in=UNFINISHED)


@invariant(COMPLETED)
def completed_is_sold(orders: Rows) -> Rows:
    """The stock sold to a completed order is exactly its items."""
    its_hold = Reservation.objects.filter(order_id=OuterRef("order_id"), shelf=OuterRef("book_id"))
    bought = its_hold.filter(quantity=OuterRef("quantity"), status=HoldStatus.CONFIRMED)
    unsold = of_order(OrderItem).exclude(Exists(bought))
    ordered = total(of_order(OrderItem), "quantity", per="order")
    sold = total(of_order(Reservation), copies_if(HoldStatus.CONFIRMED), per="order_id")
    return orders.annotate(ordered=ordered, sold=sold).exclude(~Exists(unsold), ordered=F("sold"))


@invariant(COMPLETED)
def completed_is_paid(orders: Rows) -> Rows:
    """The total of a completed order is captured, and its saga has refunded none of it."""
    taken = of_order(Payment).filter(amount=OuterRef("total"), status__in=TAKEN)
    return orders.exclude(Exists(taken.exclude(refunds__reference=BY_THE_SAGA)))


@invariant(COMPLETED)
def completed_is_sent(orders: Rows) -> Rows:
    """The carrier has accepted the parcel of a completed order."""
    refused = {ParcelStatus.PENDING, ParcelStatus.FAILED}
    return orders.exclude(Exists(of_order(Shipment).exclude(status__in=refused).exclude(tracking_number="")))


@invariant(UNDONE)
def cancelled_holds_no_stock(orders: Rows) -> Rows:
    """Nothing is sold to a cancelled or returned order, and none of its items is reserved."""
    item = OrderItem.objects.filter(
        order=OuterRef("order_id"), book_id=OuterRef("shelf"), quantity=OuterRef("quantity")
    )
    kept = Q(status=HoldStatus.CONFIRMED) | Q(status=HoldStatus.ACTIVE) & Exists(item)
    return orders.filter(Exists(of_order(Reservation).filter(kept)))


@invariant(UNDONE)
def cancelled_holds_no_money(orders: Rows) -> Rows:
    """A cancelled or returned order has no captured charge, nor one in flight."""
    return orders.filter(Exists(of_order(Payment).filter(status__in=LIVE_CHARGE)))


@invariant(UNDONE)
def cancelled_has_no_parcel(orders: Rows) -> Rows:
    """A cancelled or returned order has no parcel, nor one in flight."""
    return orders.filter(Exists(of_order(Shipment).filter(status__in=LIVE_PARCEL)))


@invariant(RETURNED)
def returned_was_delivered(orders: Rows) -> Rows:
    """The parcel of a returned order was delivered, and has come back."""
    back = of_order(Shipment).filter(status=ParcelStatus.RETURNED, delivered_at__isnull=False)
    return orders.exclude(Exists(back))


INVARIANTS = (
    order_has_saga,
    saga_fits_order,
    saga_is_finished_or_driven,
    completed_is_sold,
    completed_is_paid,
    completed_is_sent,
    cancelled_holds_no_stock,
    cancelled_holds_no_money,
    cancelled_has_no_parcel,
    returned_was_delivered,
)
