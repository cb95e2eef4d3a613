"""The payment provider at PAYMENT_GATEWAY_URL."""

from uuid import UUID

from django.conf import settings

from cloudmart.providers.http_provider import HttpProvider
from cloudmart.providers.outcomes import Outcome
from payments.errors import PaymentDeclined


class HttpGateway(HttpProvider):
    refusal = PaymentDeclined

    def __init__(self) -> None:
        super().__init__(settings.PAYMENT_GATEWAY_URL)

    def charge(
        self, key: str, *, order_id: UUID, customer_id: str, amount: int, currency: str, method: str, token: str
    ) -> Outcome:
        return self.post(
            "charges",
            key,
            order_id=str(order_id),
            customer_id=customer_id,
            amount=amount,
            currency=currency,
            method=method,
            token=token,
        )

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        return self.post("voids", key, charge_key=charge_key)

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        return self.post("refunds", key, transaction_id=transaction_id, amount=amount)
