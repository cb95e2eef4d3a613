"""What has happened to an order, as lines to print."""

from typing import Any

from orders.models import Order
from sagas.desk.status import history_of
from sagas.models import Event, SagaInstance

MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "started": "…", "skipped": "-"}
LABELS = {"do": "", "undo": "undo "}


def timeline_of(saga: SagaInstance) -> list[str]:
    """Returns steps or events with the milliseconds since the start."""
    rows: list[tuple[Any, str]] = [
        (
            line.finished or line.started,
            f"{MARKS[line.status]} {LABELS[line.direction]}{line.step}"
            + (f", attempt {line.attempt}" if line.attempt > 1 else "")
            + (f" [dim]{line.error}[/]" if line.error else ""),
        )
        for line in saga.log.exclude(status="started")
    ]
    rows += [
        (event.timestamp, f"• {event.event_type}" + (f" [dim]{attempts} attempts[/]" if attempts > 1 else ""))
        for event in Event.objects.filter(aggregate_id=saga.order_id).order_by("seq")
        for attempts in [event.payload.get("attempts", 1)]
    ]
    started = SagaInstance.objects.get(pk=saga.pk).created_at
    return [f"{(at - started).total_seconds() * 1000:6.0f} ms  {text}" for at, text in rows]


def end_of(saga: SagaInstance) -> list[str]:
    """Returns the states that the saga has reached, and the status of the order."""
    steps, events = list(saga.log.all()), list(Event.objects.filter(aggregate_id=saga.order_id).order_by("seq"))
    colour = "green" if saga.status == "COMPLETED" else "red"
    states = " → ".join(history_of(saga, steps, events))
    order = Order.objects.get(pk=saga.order_id)
    reason = f": {order.cancel_reason}" if order.cancel_reason else ""
    return [f"[{colour}]{states}[/]", f"order {order.status}{reason}"]
