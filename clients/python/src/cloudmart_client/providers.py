"""The payments and parcels of orders."""

from cloudmart_client.inputs import Destination
from cloudmart_client.models import Payment, PaymentMethod, Shipment
from cloudmart_client.orders import Ordered, id_of
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Payments(Resource):
    """`client.payments`."""

    def get(self, order: Ordered) -> Payment:
        return self._get(Payment, f"/payments/{segment(id_of(order))}")

    def process(
        self,
        order: Ordered,
        amount: int,
        payment_method: PaymentMethod,
        *,
        payment_token: str | None = None,
        customer_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Payment:
        """For operators: charges an amount without a saga. Its status is `pending` until the outcome is certain."""
        body = given(
            order_id=id_of(order),
            amount=amount,
            payment_method=payment_method,
            payment_token=payment_token,
            customer_id=customer_id,
        )
        return self._command(Payment, "POST", "/payments/process", body, idempotency_key)

    def cancel(self, order: Ordered, *, idempotency_key: str | None = None) -> Payment:
        """For operators: voids a charge that was not captured. Without one, the order is never charged."""
        return self._command(Payment, "POST", "/payments/cancel", {"order_id": id_of(order)}, idempotency_key)

    def refund(
        self,
        order: Ordered,
        *,
        amount: int | None = None,
        reference: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Payment:
        """For operators: refunds an amount, or what is left. A refund with the same `reference` is made once."""
        body = given(order_id=id_of(order), amount=amount, reference=reference, reason=reason)
        return self._command(Payment, "POST", "/payments/refund", body, idempotency_key)


class Shipping(Resource):
    """`client.shipping`."""

    def get(self, order: Ordered) -> Shipment:
        return self._get(Shipment, f"/shipping/{segment(id_of(order))}")

    def arrange(
        self,
        order: Ordered,
        shipping_address: Destination,
        *,
        customer_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Shipment:
        """For operators: arranges a delivery without a saga. Its status is `pending` until the outcome is certain."""
        body = given(order_id=id_of(order), shipping_address=shipping_address, customer_id=customer_id)
        return self._command(Shipment, "POST", "/shipping/arrange", body, idempotency_key)

    def cancel(self, order: Ordered, *, idempotency_key: str | None = None) -> Shipment:
        """For operators: cancels the delivery. Without one, a parcel is never sent."""
        return self._command(Shipment, "POST", "/shipping/cancel", {"order_id": id_of(order)}, idempotency_key)
