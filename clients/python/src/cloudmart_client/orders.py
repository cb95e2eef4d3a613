"""Orders: placed, read, waited for, cancelled and returned."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from cloudmart_client.errors import NotFinished
from cloudmart_client.inputs import Destination, Item
from cloudmart_client.models import (
    Note,
    OrderDetail,
    OrderedAgain,
    OrderStatus,
    PaymentMethod,
    PlacedOrder,
    SagaStyle,
    TimelineEntry,
)
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import Transport, given

UNFINISHED = {"pending"}
LONGEST_POLL = 10
"""Seconds for which one request waits for the end of an order."""

PAUSE = 1.0
"""Seconds between two requests if the server does not wait itself."""

Ordered = OrderDetail | PlacedOrder | str
"""An order, or its id."""


class Orders(Resource):
    """`client.orders`."""

    def __init__(
        self,
        transport: Transport,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport)
        self._sleep = sleep
        self._clock = clock

    def place(
        self,
        items: Iterable[Item],
        *,
        payment_method: PaymentMethod | None = None,
        payment_token: str | None = None,
        shipping_address: Destination | None = None,
        region: str | None = None,
        coupon: str | None = None,
        saga: SagaStyle | None = None,
        customer_id: str | None = None,
        customer_name: str | None = None,
        customer_email: str | None = None,
        respond_async: bool = False,
        idempotency_key: str | None = None,
    ) -> PlacedOrder:
        """Places an order. Its status is `completed`, or `pending` if it is still being processed.

        Keep an `idempotency_key` of your own, and give it again, if the order must be placed once even when this
        process dies. Raises the problem for which the order was refused or has failed, such as OutOfStock or
        PaymentDeclined.
        """
        body = given(
            items=list(items),
            payment_method=payment_method,
            payment_token=payment_token,
            shipping_address=shipping_address,
            region=region,
            coupon=coupon,
            saga=saga,
            customer_id=customer_id,
            customer_name=customer_name,
            customer_email=customer_email,
        )
        return self._command(PlacedOrder, "POST", "/orders", body, idempotency_key, respond_async=respond_async)

    def get(self, order: Ordered, *, wait: int | None = None) -> OrderDetail:
        """Returns the order; with `wait`, once it is finished, at the latest after so many seconds."""
        return self._get(OrderDetail, path_of(order), given(wait=wait))

    def list(
        self,
        *,
        status: OrderStatus | None = None,
        saga: SagaStyle | None = None,
        customer_id: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        page_size: int | None = None,
    ) -> Iterator[OrderDetail]:
        """Yields the orders that you may see, newest first, and asks for further pages as they are needed."""
        query = given(
            status=status,
            saga=saga,
            customer_id=customer_id,
            created_from=created_from,
            created_to=created_to,
            page_size=page_size,
        )
        return self._list(OrderDetail, "/orders", query)

    def wait_until_finished(self, order: Ordered, timeout: float = 60) -> OrderDetail:
        """Returns the order once it is no longer being processed. Raises NotFinished after `timeout` seconds.

        A failed order is `cancelled`; `client.sagas.status(order).failure` says why.
        """
        end = self._clock() + timeout
        while True:
            began = self._clock()
            wait = max(0, min(LONGEST_POLL, int(end - began)))
            found = self.get(order, wait=wait)
            if found.status not in UNFINISHED:
                return found
            now = self._clock()
            if now >= end:
                raise NotFinished(f"order {found.order_id} is still {found.status} after {timeout:g} seconds")
            if now - began < PAUSE:  # the server has not waited
                self._sleep(min(PAUSE, end - now))

    def cancel(
        self,
        order: Ordered,
        *,
        reason: str | None = None,
        respond_async: bool = False,
        idempotency_key: str | None = None,
    ) -> PlacedOrder:
        """Undoes all of an order, or closes a draft. The status is `pending` while the order is being undone."""
        path, body = f"{path_of(order)}/cancel", given(reason=reason)
        return self._command(PlacedOrder, "POST", path, body, idempotency_key, respond_async=respond_async)

    def return_delivered(
        self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> PlacedOrder:
        """For operators: takes back what was delivered, and refunds it."""
        return self._command(PlacedOrder, "POST", f"{path_of(order)}/return", given(reason=reason), idempotency_key)

    def order_again(self, order: Ordered, *, idempotency_key: str | None = None) -> OrderedAgain:
        """Opens a draft with the books of an earlier order, at the prices of now."""
        return self._command(OrderedAgain, "POST", f"{path_of(order)}/order-again", {}, idempotency_key)

    def timeline(self, order: Ordered, *, page_size: int | None = None) -> Iterator[TimelineEntry]:
        """Yields what has happened to the order, oldest first."""
        return self._list(TimelineEntry, f"{path_of(order)}/events", given(page_size=page_size))

    def notes(self, order: Ordered) -> Iterator[Note]:
        """For operators: yields the notes about the order."""
        return self._list(Note, f"{path_of(order)}/notes", {})

    def add_note(self, order: Ordered, text: str, *, idempotency_key: str | None = None) -> Note:
        """For operators: writes a note about the order."""
        return self._command(Note, "POST", f"{path_of(order)}/notes", {"text": text}, idempotency_key)


def id_of(order: Ordered) -> str:
    return order if isinstance(order, str) else order.order_id


def path_of(order: Ordered) -> str:
    return f"/orders/{segment(id_of(order))}"
