"""The carrier at CARRIER_URL."""

from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from cloudmart.kernel.order import Address
from cloudmart.providers.http_provider import HttpProvider, content_of
from cloudmart.providers.outcomes import Outcome, OutcomeUnknown
from shipping.carriers.reports import Report, report_of
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

    def track(self, key: str) -> Report | None:
        """Raises ProviderUnavailable, and OutcomeUnknown if the response cannot be read."""
        response = self.get(f"parcels/{quote(key, safe='')}")
        match response.status, content_of(response):
            case 404, _:
                return None
            case 200, {"status": str(status), **times}:
                return report_of(status, times.get(f"{status}_at"))
        raise OutcomeUnknown(f"HTTP {response.status}")
