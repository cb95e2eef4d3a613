"""An example of each type of event, for the API's description."""

from typing import Any

from cloudmart.api.examples import CREATED, FINISHED, ORDER
from cloudmart.outbox.cloud_events import document
from cloudmart.outbox.types import DATA_VERSIONS, EventType

SOURCE = "urn:cloudmart"
EVENT, ENDPOINT = "01a1fc13-0703-7a2c-8d55-3f1e0c5b7a11", "01a1fbf0-51c2-7d04-9f0e-6a2b8c9d0e1f"
SHIPMENT, PAYMENT, REFUND = (
    "01a1fc13-06ff-7c9e-b3d1-52a94f6c7b80",
    "01a1fc13-06fb-7e31-8a4f-b1c2d3e4f506",
    "01a1fc20-1a2b-7c3d-9e4f-5a6b7c8d9e0f",
)
BUYER = {"order_id": ORDER, "customer_id": "customer-001"}
SENT_BACK = "The customer has sent the books back."
PARCEL = {"carrier": "mock", "tracking_number": "TRK-01A1FC13"}

OUTCOME = {
    **BUYER,
    "style": "orchestration",
    "lines": [{"book_id": "book-123", "title": "クラウド設計パターン集", "unit_price": 3500, "quantity": 1}],
    "subtotal": 3500,
    "discount": 0,
    "tax": 350,
    "total": 3850,
    "currency": "JPY",
    "coupon": "",
    "payment_method": "credit_card",
    "placed_at": CREATED,
}
UNDONE = {"charged": 3850, "refunded": 3850, "refunds": [{"refund_id": REFUND, "amount": 3850}]}
COMPLETED = {
    **OUTCOME,
    "status": "completed",
    "reason": None,
    "cancelled_by": None,
    "payment": {"charged": 3850, "refunded": 0, "refunds": []},
    "parcel": PARCEL,
}
DATA: dict[EventType, dict[str, Any]] = {
    EventType.ORDER_COMPLETED: COMPLETED,
    EventType.ORDER_CANCELLED: {
        **OUTCOME,
        "status": "cancelled",
        "reason": {"code": "payment_declined", "detail": "The payment was declined.", "reason": "insufficient_funds"},
        "cancelled_by": None,
        "payment": {"charged": 0, "refunded": 0, "refunds": []},
        "parcel": None,
    },
    EventType.ORDER_RETURNED: {
        **COMPLETED,
        "status": "returned",
        "reason": {"code": "order_returned", "detail": SENT_BACK, "reason": SENT_BACK},
        "cancelled_by": "customer",
        "payment": UNDONE,
    },
    EventType.PAYMENT_REFUNDED: {
        **BUYER,
        "payment_id": PAYMENT,
        "refund_id": REFUND,
        "amount": 500,
        "refunded_total": 500,
        "charged": 3850,
        "currency": "JPY",
        "transaction_id": "re_01a1fc201a2b",
        "reference": "damaged-cover",
        "reason": "The cover was damaged",
    },
    EventType.PARCEL_SHIPPED: {
        **BUYER,
        **PARCEL,
        "shipment_id": SHIPMENT,
        "shipped_at": "2026-11-22T04:10:00Z",
        "delivered_at": None,
    },
    EventType.PARCEL_DELIVERED: {
        **BUYER,
        **PARCEL,
        "shipment_id": SHIPMENT,
        "shipped_at": "2026-11-22T04:10:00Z",
        "delivered_at": "2026-11-23T02:45:00Z",
    },
    EventType.STOCK_LOW: {"book_id": "book-123", "available": 3, "on_hand": 5, "reserved": 2, "threshold": 3},
    EventType.TEST: {"endpoint_id": ENDPOINT},
}


def example_of(event_type: EventType) -> dict[str, Any]:
    """Returns the document of an event of this type."""
    data = DATA[event_type]
    is_test = event_type == EventType.TEST
    return document(
        id=EVENT,
        type=event_type.value,
        source=SOURCE,
        subject=data.get("order_id") or data.get("book_id") or ENDPOINT,
        time=FINISHED,
        sequence=None if is_test else 1,
        dataschema=f"{SOURCE}:{event_type}:{DATA_VERSIONS[event_type]}",
        data=data,
        traceparent=None,
    )
