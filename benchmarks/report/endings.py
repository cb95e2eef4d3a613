"""How each order ended: what our records and the providers have of it, and what of that contradicts its status."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Sum

from cloudmart.sandbox.ledger import entries_in, live
from cloudmart.sandbox.server import CARRIER, PAYMENTS
from inventory.models import Reservation, StockEvent
from inventory.models import Status as ReservationStatus
from orders.models import Order, SagaStyle
from orders.models import Status as OrderStatus
from payments.models import Payment
from payments.models import Status as PaymentStatus
from sagas.models import Event, SagaInstance, SagaStepLog, State, StepStatus
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus


@dataclass(frozen=True, slots=True)
class Records:
    """What the database and the providers have of one order."""

    status: str
    saga: str
    payment: str
    """The status of the payment; "" if there is none."""
    parcel: str
    reserved: int
    """Copies in active reservations."""
    sold: int
    """Copies in confirmed reservations."""
    on_hand_change: int
    """The sum of what the order's stock events changed."""
    reserved_change: int
    charged: int
    """What the gateway has of the order's money, in minor units."""
    sent: int
    """Parcels that the carrier has."""


def is_whole(records: Records, copies: int, total: int) -> dict[str, bool]:
    """Returns what must hold of a completed order, and whether it does."""
    return {
        "the saga is completed": records.saga == State.COMPLETED,
        "the payment is captured": records.payment == PaymentStatus.CAPTURED,
        "the parcel is arranged": records.parcel
        in {ParcelStatus.ARRANGED, ParcelStatus.SHIPPED, ParcelStatus.DELIVERED},
        "its copies are sold": (records.sold, records.reserved) == (copies, 0),
        "its copies have left the stock": (records.on_hand_change, records.reserved_change) == (-copies, 0),
        "the gateway has its total": records.charged == total,
        "the carrier has its parcel": records.sent == 1,
    }


def is_undone(records: Records) -> dict[str, bool]:
    """Returns what must hold of an order that failed, and whether it does."""
    return {
        "the order is cancelled": records.status == OrderStatus.CANCELLED,
        "the saga has undone every step": records.saga == State.FAILED,
        "no payment is left": records.payment
        in {"", PaymentStatus.DECLINED, PaymentStatus.CANCELLED, PaymentStatus.REFUNDED},
        "no parcel is left": records.parcel in {"", ParcelStatus.FAILED, ParcelStatus.CANCELLED},
        "nothing is reserved or sold": (records.reserved, records.sold) == (0, 0),
        "the stock is as before": (records.on_hand_change, records.reserved_change) == (0, 0),
        "the gateway has none of its money": records.charged == 0,
        "the carrier has no parcel": records.sent == 0,
    }


@dataclass(frozen=True, slots=True)
class Ending:
    """How one order ended. Times are seconds since the epoch."""

    order_id: str
    style: str
    is_completed: bool
    placed: float
    """When the desk read the books."""
    finished: float
    broken: tuple[str, ...]
    """What must hold of the order, and does not."""


def endings(ledger: Path, but: Collection[object] = ()) -> list[Ending]:
    """Returns the ending of every order in the database, but these."""
    records = all_records(ledger)
    sagas = {saga.order_id: saga for saga in SagaInstance.objects.all()}
    copies = totals(Order.objects.values_list("pk").annotate(Sum("items__quantity")))
    return [
        ending_of(order, sagas.get(order.pk), records[str(order.pk)], copies[str(order.pk)])
        for order in Order.objects.all()
        if order.pk not in but
    ]


def ending_of(order: Order, saga: SagaInstance | None, records: Records, copies: int) -> Ending:
    is_completed = order.status == OrderStatus.COMPLETED
    holds = is_whole(records, copies, order.total) if is_completed else is_undone(records)
    return Ending(
        str(order.pk),
        order.saga_style,
        is_completed,
        order.created_at.timestamp(),
        ((saga and saga.finished_at) or order.created_at).timestamp(),
        tuple(what for what, does in holds.items() if not does),
    )


def all_records(ledger: Path) -> dict[str, Records]:
    """Returns the records of each order in the database."""
    sagas, payments, parcels = (
        {str(order_id): status for order_id, status in model.objects.values_list("order_id", "status")}
        for model in (SagaInstance, Payment, Shipment)
    )
    reservations = Reservation.objects.values_list("order_id")
    reserved, sold = (
        totals(reservations.filter(status=status).annotate(Sum("quantity")))
        for status in (ReservationStatus.ACTIVE, ReservationStatus.CONFIRMED)
    )
    events = StockEvent.objects.exclude(order_id=None).values_list("order_id")
    on_hand, in_reserve = (totals(events.annotate(Sum(name))) for name in ("on_hand_delta", "reserved_delta"))
    left = at_providers(ledger)
    return {
        order_id: Records(
            status=status,
            saga=sagas.get(order_id, ""),
            payment=payments.get(order_id, ""),
            parcel=parcels.get(order_id, ""),
            reserved=reserved[order_id],
            sold=sold[order_id],
            on_hand_change=on_hand[order_id],
            reserved_change=in_reserve[order_id],
            charged=left[PAYMENTS][order_id],
            sent=left[CARRIER][order_id],
        )
        for order_id, status in ((str(pk), status) for pk, status in Order.objects.values_list("pk", "status"))
    }


def at_providers(ledger: Path) -> dict[str, Counter[str]]:
    """Returns what each provider has of each order: minor units, or parcels."""
    left: dict[str, Counter[str]] = {PAYMENTS: Counter(), CARRIER: Counter()}
    for (provider, order_id, _), amount in live(entries_in(ledger)).items():
        left[provider][order_id] += amount
    return left


def strangers(ledger: Path) -> set[str]:
    """Returns the orders that a provider knows, and our database does not."""
    ours = {str(pk) for pk in Order.objects.values_list("pk", flat=True)}
    return {entry.order_id for entry in entries_in(ledger)} - ours


def totals(rows: Iterable[tuple[Any, int | None]]) -> Counter[str]:
    return Counter({str(key): number or 0 for key, number in rows})


# --- The course of an order ------------------------------------------------------------------------


def courses(order_ids: Iterable[str]) -> dict[str, list[float]]:
    """Returns when each step was done, or each event happened, of these orders: milliseconds after they were placed.

    An orchestrated order has steps, a choreographed one events. They are in the order in which they happen.
    """
    orders = Order.objects.in_bulk(order_ids)
    course: defaultdict[str, list[float]] = defaultdict(list)
    for order_id, name, moment in (*_steps(orders), *_events(orders)):
        course[name].append((moment - orders[order_id].created_at).total_seconds() * 1000)
    return dict(course)


def _steps(order_ids: Iterable[Any]) -> Iterator[tuple[Any, str, datetime]]:
    done = SagaStepLog.objects.filter(saga__order_id__in=order_ids, status=StepStatus.DONE).order_by("seq")
    return done.values_list("saga__order_id", "step", "finished").iterator()


def _events(order_ids: Iterable[Any]) -> Iterator[tuple[Any, str, datetime]]:
    choreographed = SagaInstance.objects.filter(order_id__in=order_ids, saga_type=SagaStyle.CHOREOGRAPHY)
    events = Event.objects.filter(aggregate_id__in=choreographed.values("order_id")).order_by("seq")
    return events.values_list("aggregate_id", "event_type", "timestamp").iterator()
