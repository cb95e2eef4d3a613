"""A shop that looks like one in use: a day of orders in both styles, of which some have failed and some wait."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

from django.core.management import call_command
from django.utils import timezone
from uuid_utils.compat import uuid7

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel import ids
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory.models import Book
from orders.models import Customer, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.desk.placing import place_order
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.models import SagaInstance
from sagas.operations.figures.order_hours import count_due_hours
from tests.clock import application_clock, database_clock
from tests.committed import add_stock

ORDERS_AN_HOUR = (2, 1, 1, 2, 3, 4, 5, 7, 6, 5, 8, 7, 6, 5, 4, 6, 7, 9, 8, 6, 5, 4, 3)
"""From the oldest hour to the last one that is over."""
NOWHERE = Address("999-9999", "沖縄県どこにもない町1-1")
FAULTS: dict[int, dict[str, Any]] = {
    13: {"payment_token": "tok_insufficient_funds"},
    17: {"address": NOWHERE},
    7: {"payment_token": "tok_unavailable_1"},
    37: {"payment_token": "tok_expired_card"},
}
"""Which orders of how many have one."""
NO_RESPONSE = "ReadTimeout: no response in 5 s"


def fill() -> None:
    """Fills the empty shop."""
    with clocks(timedelta(hours=-len(ORDERS_AN_HOUR) - 1)):
        call_command("seed", demo_users=True, stdout=StringIO())
        for book in Book.objects.exclude(pk="book-456"):
            add_stock(book.pk, 150)
    number = 0
    for ago, orders in zip(range(len(ORDERS_AN_HOUR), 0, -1), ORDERS_AN_HOUR, strict=True):
        for each in range(orders):
            number += 1
            with clocks(timedelta(hours=-ago, minutes=60 * each // orders)):
                order(number)
                call_command("send_mails", stdout=StringIO())
    with clocks(timedelta(minutes=-6)), gateway_down():
        for style in SagaStyle:
            order(1, saga_style=style)
    for minutes in (5, 4, 3, 2):
        with clocks(timedelta(minutes=-minutes)), gateway_down():
            SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
            call_command("resume_sagas", stdout=StringIO())
    for style in SagaStyle:
        order(1, saga_style=style, payment_token="tok_unavailable_2")
        order(1, saga_style=style, address=NOWHERE)
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow() + timedelta(minutes=2))
    call_command("project_inventory", stdout=StringIO())
    count_due_hours()


def order(number: int, **more: Any) -> None:
    """Places the order with this number, which decides everything about it. Many of them fail."""
    fault = next((FAULTS[often] for often in FAULTS if number % often == 0), {})
    book = ("book-123", "book-789", "book-123", "product_001")[number % 4]
    customer = Customer.objects.get(pk=("customer-001", "customer-002")[number // 2 % 2])
    request = {
        "customer": customer,
        "items": (RequestedLine(book, 1 + number % 3 // 2),),
        "payment_method": "credit_card",
        "saga_style": list(SagaStyle)[number % 2],
        "placed_by": customer.pk,
        **fault,
        **more,
    }
    with suppress(DomainError):
        place_order(OrderRequest(**request))


@contextmanager
def clocks(skew: timedelta) -> Iterator[None]:
    """Shifts the clocks of this process, of its ids and of its connection by so much."""
    with (
        application_clock(skew),
        database_clock(lambda: right_time() + skew),
        patch.object(ids, "uuid7", lambda: uuid7(nanoseconds=int((right_time() + skew).timestamp() * 1e9))),
    ):
        yield


right_time = timezone.now
"""The time that application_clock does not shift."""


@contextmanager
def gateway_down() -> Iterator[None]:
    """The payment gateway does not respond."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(MockGateway, "charge", side_effect=OutcomeUnknown(NO_RESPONSE)))
        stack.enter_context(patch.object(MockGateway, "lookup", return_value=Unknown(NO_RESPONSE)))
        yield
