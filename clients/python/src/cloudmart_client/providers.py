"""The payments and parcels of orders."""

from cloudmart_client.models import Payment, Shipment
from cloudmart_client.orders import Ordered, id_of
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Payments(Resource):
    """`client.payments`."""

    def get(self, order: Ordered) -> Payment:
        return self._get(Payment, f"/payments/{segment(id_of(order))}")

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
