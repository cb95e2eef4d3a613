"""The carrier at CARRIER_URL."""

from uuid import UUID

from django.conf import settings

from cloudmart.kernel.order import Address
from cloudmart.providers.http_provider import HttpProvider
from cloudmart.providers.outcomes import Outcome
from shipping.errors import ShippingFailed


class HttpCarrier(HttpProvider):
    name = "http"
    refusal = ShippingFailed

    def __init__(self) -> None:
        super().__init__(settings.CARRIER_URL)

    def arrange(self, key: str, *, order_id: UUID, address: Address) -> Outcome:
        where = {"postal_code": address.postal_code, "address": address.text, "country": address.country}
        return self.post("parcels", key, order_id=str(order_id), **where)

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        return self.post("call-offs", key, parcel_key=arrange_key)
