"""Examples of orders in responses."""

from typing import Any

from cloudmart.api.examples import CREATED, HOME, ORDER

ORDER_EXAMPLE: dict[str, Any] = {
    "order_id": ORDER,
    "customer_id": "customer-001",
    "status": "completed",
    "items": [
        {
            "book_id": "book-123",
            "title": "クラウド設計パターン集",
            "unit_price": 3500,
            "quantity": 1,
            "line_total": 3500,
            "held_until": None,
        }
    ],
    "expired_books": [],
    "subtotal": 3500,
    "discount": 0,
    "tax": 350,
    "total": 3850,
    "currency": "JPY",
    "region": "JP",
    "coupon": "",
    "payment_method": "credit_card",
    "shipping_address": HOME,
    "saga": "orchestration",
    "cancel_reason": "",
    "created_at": CREATED,
}
