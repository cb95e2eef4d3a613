"""Examples of parcels."""

from typing import Any

from cloudmart.api.examples import CREATED, FINISHED, HOME, ORDER, request_example

PARCEL = request_example("To Tokyo", {"order_id": ORDER, "shipping_address": "〒150-0001 東京都渋谷区神宮前1-2-3"})

PARCEL_EXAMPLE: dict[str, Any] = {
    "shipment_id": "01a1fc13-06f9-77e8-a6c1-134cda55788b",
    "order_id": ORDER,
    "status": "arranged",
    "carrier": "mock",
    "tracking_number": "trk_f0dd0a8da67e8e8fde5f",
    "address": HOME,
    "shipped_at": None,
    "delivered_at": None,
    "failure": None,
    "created_at": CREATED,
    "updated_at": FINISHED,
}
