"""Play example orders in the terminal, both styles side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.money import formatted
from cloudmart.kernel.order import Address
from inventory.models import InventoryRecord
from inventory.services import adjust_stock
from orders.models import Customer, Order, SagaStyle
from payments.models import Payment
from payments.models import Status as PaymentStatus
from sagas.desk.placing import place_order
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.desk.status import history_of
from sagas.management.commands.seed import add_books, add_customers
from sagas.models import Event, SagaInstance
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus

CUSTOMER = "demo-customer"
SHELVES = {"novel": ("A novel", 3500, 5), "atlas": ("An atlas", 8000, 0), "primer": ("A primer", 2800, 10)}


@dataclass(frozen=True)
class Story:
    """One order, and what fails."""

    title: str
    items: tuple[tuple[str, int], ...] = (("novel", 1),)
    token: str = ""
    address: Address | None = None


STORIES = (
    Story("An order that completes"),
    Story("Several books in one order", items=(("novel", 1), ("primer", 2))),
    Story("Out of stock", items=(("novel", 1), ("atlas", 1))),
    Story("Payment declined", token="tok_insufficient_funds"),
    Story("Carrier down: payment refunded, stock back", address=Address("999-9999", "Beyond the last road")),
    Story("A provider that fails twice and then works", token="tok_unavailable_2"),
)


@dataclass
class Played:
    """The lines to print of a story in one style, and the order if there is one."""

    lines: list[str] = field(default_factory=list)
    order_id: Any = None


class Command(BaseCommand):
    help = "Play example orders in both styles, with books of the demo's own that are restocked each time."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ALLOW_MAGIC_TOKENS:
            raise CommandError(
                "The stories need magic payment tokens: set ALLOW_MAGIC_TOKENS=true, as `make demo` does."
            )
        console = Console(file=self.stdout)  # type: ignore[arg-type]
        for style in SagaStyle:
            refill(style)
        played_by_style: dict[str, list[Played]] = {style: [] for style in SagaStyle}
        for story in STORIES:
            table = Table(*SagaStyle, expand=True, title=story.title, title_justify="left", title_style="bold")
            played = [play(story, style) for style in SagaStyle]
            table.add_row(*["\n".join(each.lines) for each in played])
            console.print(table)
            for style, each in zip(SagaStyle, played, strict=True):
                played_by_style[style].append(each)
        for style in SagaStyle:
            console.print(Panel(what_is_left(style, played_by_style[style]), title=f"What is left: {style}"))


def refill(style: str) -> None:
    """Restocks the demo's books."""
    add_customers([(CUSTOMER, "Demo Customer", "demo@example.com", "150-0001", "東京都渋谷区神宮前1-2-3")])
    add_books((f"{style}-{name}", *book) for name, book in SHELVES.items())
    for name, (_, _, copies) in SHELVES.items():
        book_id = f"{style}-{name}"
        if missing := copies - InventoryRecord.objects.get(pk=book_id).on_hand:
            durable(adjust_stock)(book_id, missing, reason="demo", actor="demo")


def play(story: Story, style: str) -> Played:
    request = OrderRequest(
        customer=Customer.objects.get(pk=CUSTOMER),
        items=tuple(RequestedLine(f"{style}-{name}", quantity) for name, quantity in story.items),
        payment_method="credit_card",
        payment_token=story.token,
        address=story.address,
        saga_style=style,
        placed_by=CUSTOMER,
    )
    try:
        saga = place_order(request)
    except DomainError as refusal:
        return Played([f"[yellow]refused[/]: {refusal.detail}", *shortages(refusal), "nothing was stored"])
    return Played([*timeline_of(saga), "", *end_of(saga)], saga.order_id)


def shortages(refusal: DomainError) -> list[str]:
    return [
        f"  {short['book_id']}: {short['requested']} wanted, {short['available']} there"
        for short in refusal.details.get("shortages", ())
    ]


MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "started": "…", "skipped": "-"}
LABELS: dict[str, Callable[[Any], str]] = {"do": lambda line: line.step, "undo": lambda line: f"undo {line.step}"}


def timeline_of(saga: SagaInstance) -> list[str]:
    """Returns steps or events with the milliseconds since the start."""
    rows: list[tuple[Any, str]] = [
        (
            line.finished or line.started,
            f"{MARKS[line.status]} {LABELS[line.direction](line)}"
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


def what_is_left(style: str, played: list[Played]) -> str:
    """Returns stock, money and parcels of this run's orders."""
    orders = [each.order_id for each in played if each.order_id]
    shelves = [
        f"{record.pk}: {record.on_hand} on the shelf, {record.reserved} reserved"
        for record in InventoryRecord.objects.filter(pk__in=[f"{style}-{name}" for name in SHELVES]).order_by("pk")
    ]
    kept = Payment.objects.filter(order_id__in=orders, status=PaymentStatus.CAPTURED).aggregate(sum=Sum("amount"))
    parcels = Shipment.objects.filter(order_id__in=orders, status=ParcelStatus.ARRANGED).count()
    return "\n".join([*shelves, f"money kept: {formatted(kept['sum'] or 0)}", f"parcels arranged: {parcels}"])
