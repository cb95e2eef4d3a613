"""What has happened to an order, as lines to print."""

from django.contrib.auth import get_user_model

from orders.models import Order
from sagas.desk.status import history_of
from sagas.desk.timeline import Entry, timeline_of
from sagas.events import EventType
from sagas.models import Event, SagaInstance

FAILURES = {
    EventType.ATTEMPT_FAILED,
    EventType.STOCK_UNAVAILABLE,
    EventType.PAYMENT_FAILED,
    EventType.SHIPPING_FAILED,
}
COMPENSATIONS = {
    EventType.STOCK_RELEASED,
    EventType.PAYMENT_REFUNDED,
    EventType.PAYMENT_CANCELLED,
    EventType.SHIPPING_CANCELLED,
    EventType.ORDER_CANCELLED,
}


def lines_of(saga: SagaInstance) -> list[str]:
    """Returns the order's timeline with the milliseconds since the start."""
    operator = get_user_model()(is_staff=True, is_superuser=True)
    started = SagaInstance.objects.get(pk=saga.pk).created_at
    return [
        f"{(entry.timestamp - started).total_seconds() * 1000:6.0f} ms  {mark_of(entry)} {entry.event_type}"
        + (f" [dim]{remark}[/]" if (remark := remark_on(entry)) else "")
        for entry in timeline_of(saga.order_id, operator)
    ]


def mark_of(entry: Entry) -> str:
    if entry.event_type in FAILURES:
        return "[red]✗[/]"
    return "[yellow]↩[/]" if entry.event_type in COMPENSATIONS else "[green]✓[/]"


def remark_on(entry: Entry) -> str:
    """Returns what went wrong, or how many attempts it took."""
    if entry.event_type == EventType.ATTEMPT_FAILED:
        return f"{entry.data['command']}, attempt {entry.data['attempt']}: {entry.data['error']}"
    if entry.event_type in FAILURES:
        return str(entry.data["detail"])
    attempts = entry.data.get("attempts", 1)
    return f"{attempts} attempts" if attempts > 1 else ""


def end_of(saga: SagaInstance) -> list[str]:
    """Returns the states that the saga has reached, and the status of the order."""
    steps, events = list(saga.log.all()), list(Event.objects.filter(aggregate_id=saga.order_id).order_by("seq"))
    colour = "green" if saga.status == "COMPLETED" else "red"
    states = " → ".join(history_of(saga, steps, events))
    order = Order.objects.get(pk=saga.order_id)
    reason = f": {order.cancel_reason}" if order.cancel_reason else ""
    return [f"[{colour}]{states}[/]", f"order {order.status}{reason}"]
