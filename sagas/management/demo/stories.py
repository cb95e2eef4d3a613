"""The stories of the demo: an order each, and what fails."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.core import mail
from rich.markup import escape

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import Address
from orders.models import SagaStyle
from sagas.desk.mails import send_mails
from sagas.desk.placing import place_order
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.management.demo.shop import book_id_of, customer_of
from sagas.management.demo.timeline import end_of, lines_of


@dataclass(frozen=True)
class Story:
    """One order, and what fails."""

    title: str
    items: tuple[tuple[str, int], ...] = (("novel", 1),)
    token: str = ""
    address: Address | None = None
    skips_stock_check: bool = False
    shows_mail: bool = False
    """Whether the text of the mail to the customer is shown, besides its subject."""


NOWHERE = Address("999-9999", "Beyond the last road")
NOVEL_AND_ATLAS = (("novel", 1), ("atlas", 1))
STORIES = (
    Story("An order that completes", shows_mail=True),
    Story("Several books in one order", items=(("novel", 1), ("primer", 2))),
    Story("Out of stock, refused before anything is stored", items=NOVEL_AND_ATLAS),
    Story("Out of stock, seen by the saga", items=NOVEL_AND_ATLAS, skips_stock_check=True, shows_mail=True),
    Story("Payment declined", token="tok_insufficient_funds"),
    Story("Carrier down: payment refunded, stock back", address=NOWHERE, shows_mail=True),
    Story("A provider that fails twice and then works", token="tok_unavailable_2"),
)


@dataclass
class Played:
    """The lines to print of a story in one style, and the order if there is one."""

    lines: list[str]
    mails: list[str] = field(default_factory=list)
    order_id: UUID | None = None


def play(story: Story, style: SagaStyle) -> Played:
    customer = customer_of(style)
    request = OrderRequest(
        customer=customer,
        items=tuple(RequestedLine(book_id_of(style, name), quantity) for name, quantity in story.items),
        payment_method="credit_card",
        payment_token=story.token,
        address=story.address,
        saga_style=style,
        placed_by=customer.pk,
        skips_stock_check=story.skips_stock_check,
    )
    try:
        saga = place_order(request)
    except DomainError as refusal:
        return Played([f"[yellow]refused[/]: {refusal.detail}", *shortages(refusal), "nothing was stored"])
    return Played([*lines_of(saga), "", *end_of(saga)], list(mails_sent(story.shows_mail)), saga.order_id)


def shortages(refusal: DomainError) -> list[str]:
    return [
        f"  {short['book_id']}: {short['requested']} wanted, {short['available']} there"
        for short in refusal.details.get("shortages", ())
    ]


def mails_sent(with_text: bool) -> Iterator[str]:
    """Sends what a worker would send now, and yields the subject of each mail, and its text if asked for."""
    send_mails()
    sent, mail.outbox = mail.outbox, []
    for message in sent:
        yield f"[cyan]{escape(str(message.subject))}[/]"
        if with_text:
            yield f"\n{escape(str(message.body).strip())}"
