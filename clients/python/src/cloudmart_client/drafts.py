"""Drafts: orders to which books are added, each of which is reserved at once, before they are placed."""

from typing import Any

from cloudmart_client.inputs import Destination
from cloudmart_client.models import OrderDetail, PaymentMethod, PlacedOrder, SagaStyle
from cloudmart_client.orders import Ordered, path_of
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Drafts(Resource):
    """`client.drafts`. Read a draft with `client.orders.get`, and close it with `client.orders.cancel`."""

    def open(
        self,
        *,
        customer_id: str | None = None,
        customer_name: str | None = None,
        customer_email: str | None = None,
        payment_method: PaymentMethod | None = None,
        shipping_address: Destination | None = None,
        region: str | None = None,
        coupon: str | None = None,
        saga: SagaStyle | None = None,
        idempotency_key: str | None = None,
    ) -> PlacedOrder:
        """Opens a draft without books."""
        body = given(customer_id=customer_id, customer_name=customer_name, customer_email=customer_email)
        body |= options(payment_method, shipping_address, region, coupon, saga)
        return self._command(PlacedOrder, "POST", "/orders", body, idempotency_key)

    def add(
        self,
        draft: Ordered,
        book_id: str,
        quantity: int,
        *,
        price: int | None = None,
        idempotency_key: str | None = None,
    ) -> OrderDetail:
        """Adds copies of a book to those already in the draft, and reserves them. Raises OutOfStock."""
        body = given(book_id=book_id, quantity=quantity, price=price)
        return self._command(OrderDetail, "POST", f"{path_of(draft)}/items", body, idempotency_key)

    def set_quantity(
        self,
        draft: Ordered,
        book_id: str,
        quantity: int,
        *,
        price: int | None = None,
        idempotency_key: str | None = None,
    ) -> OrderDetail:
        """Changes how many copies of a book are in the draft. An expired reservation is renewed."""
        path = f"{path_of(draft)}/items/{segment(book_id)}"
        return self._command(OrderDetail, "PUT", path, given(quantity=quantity, price=price), idempotency_key)

    def remove(self, draft: Ordered, book_id: str, *, idempotency_key: str | None = None) -> OrderDetail:
        """Removes a book from the draft, and releases its copies."""
        path = f"{path_of(draft)}/items/{segment(book_id)}"
        return self._command(OrderDetail, "DELETE", path, None, idempotency_key)

    def change(
        self,
        draft: Ordered,
        *,
        payment_method: PaymentMethod | None = None,
        shipping_address: Destination | None = None,
        region: str | None = None,
        coupon: str | None = None,
        remove_coupon: bool = False,
        saga: SagaStyle | None = None,
        idempotency_key: str | None = None,
    ) -> OrderDetail:
        """Changes what is given, and leaves the rest as it is."""
        body = options(payment_method, shipping_address, region, coupon, saga)
        body |= {"coupon": None} if remove_coupon else {}
        return self._command(OrderDetail, "PATCH", path_of(draft), body, idempotency_key)

    def extend(self, draft: Ordered, *, idempotency_key: str | None = None) -> OrderDetail:
        """Has the reservations last as long as new ones, up to a limit in all."""
        return self._command(OrderDetail, "POST", f"{path_of(draft)}/extend", {}, idempotency_key)

    def confirm(
        self,
        draft: Ordered,
        *,
        payment_token: str | None = None,
        payment_method: PaymentMethod | None = None,
        shipping_address: Destination | None = None,
        region: str | None = None,
        coupon: str | None = None,
        saga: SagaStyle | None = None,
        respond_async: bool = False,
        idempotency_key: str | None = None,
    ) -> PlacedOrder:
        """Places the draft as an order. Raises the problem for which it was refused or has failed."""
        body = given(payment_token=payment_token)
        body |= options(payment_method, shipping_address, region, coupon, saga)
        path = f"{path_of(draft)}/confirm"
        return self._command(PlacedOrder, "POST", path, body, idempotency_key, respond_async=respond_async)

    def delete(self, draft: Ordered, *, idempotency_key: str | None = None) -> None:
        """Releases the books of a draft, and deletes it. `client.orders.cancel` keeps a record of it."""
        self._transport.command("DELETE", path_of(draft), key=idempotency_key)


def options(
    payment_method: PaymentMethod | None,
    shipping_address: Destination | None,
    region: str | None,
    coupon: str | None,
    saga: SagaStyle | None,
) -> dict[str, Any]:
    return given(
        payment_method=payment_method, shipping_address=shipping_address, region=region, coupon=coupon, saga=saga
    )
