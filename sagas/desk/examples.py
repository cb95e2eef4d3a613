"""Examples of orders and drafts in requests, and of their responses."""

from typing import Any

from cloudmart.api.examples import FINISHED, ORDER, request_example, response_example
from orders.examples import ORDER_EXAMPLE

OSAKA = {"postal_code": "530-0001", "address": "大阪府大阪市北区梅田4-5-6"}

BERLIN = {"postal_code": "10115", "address": "Invalidenstraße 43, Berlin", "country": "DE"}

ONE_BOOK = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}

ONE_BOOK_OF_A_GUEST = {"customer_name": "山田太郎", "book_id": "book-123", "quantity": 1}

ONE_BOOK_ELSEWHERE = {
    "product_id": "book-123",
    "product_name": "クラウド設計パターン集",
    "quantity": 1,
    "unit_price_cents": 3500,
}

ORDERS = [
    request_example("One book", ONE_BOOK),
    request_example(
        "One book, paid with the customer's own method", {"book_id": "book-123", "quantity": 1, "price": 3500}
    ),
    request_example(
        "Several books, at the prices that were shown",
        {
            "customer_id": "customer-001",
            "items": [
                {"book_id": "book-123", "quantity": 1, "price": 3500},
                {"book_id": "book-789", "quantity": 2, "price": 2800},
            ],
            "payment_method": "e_money",
        },
    ),
    request_example("For a guest", {**ONE_BOOK_OF_A_GUEST, "shipping_address": OSAKA}),
    request_example("With other names of the fields", {"order": {**ONE_BOOK_ELSEWHERE, "customerId": "customer-001"}}),
    request_example(
        "To another address, with a payment provider that fails twice",
        {**ONE_BOOK, "payment_token": "tok_unavailable_2", "shipping_address": OSAKA},
    ),
    request_example("Abroad", {**ONE_BOOK, "shipping_address": BERLIN}),
]

ORCHESTRATED_ORDERS = ORDERS.copy()

ORDERS.append(request_example("As a choreographed saga", {**ONE_BOOK, "saga": "choreography"}))

BY_CARD_WITH_COUPON = {"payment_method": "credit_card", "coupon": "WELCOME10"}

DRAFTS = [
    request_example("A draft", {}),
    request_example(
        "A draft for a guest", {"order": {"customer_name": "山田太郎", "customer_email": "taro@example.com"}}
    ),
    request_example("A draft with a payment method and a coupon", BY_CARD_WITH_COUPON),
]

DRAFT_CHANGES = [
    request_example("A coupon", {"coupon": "WELCOME10"}),
    request_example("To another address", {"shipping_address": OSAKA}),
]

CONFIRMATIONS = [
    request_example("By card", {"payment_method": "credit_card", "payment_token": "tok_ok"}),
    request_example("With the payment method of the draft", {}),
]

ITEM_ADDITIONS = [
    request_example("Two copies", {"book_id": "book-123", "quantity": 2}),
    request_example("At the price that was shown", {"book_id": "book-123", "quantity": 1, "price": 3500}),
    request_example("With other names of the fields", {"order_item": ONE_BOOK_ELSEWHERE}),
]

QUANTITY = [request_example("Three copies", {"quantity": 3})]

CANCELLATION = [request_example("A change of mind", {"reason": "Ordered twice by mistake"})]

WRAPPED_CANCELLATION = request_example("In a wrapper", {"order": {"reason": "顧客都合"}})

RETURN = [request_example("A change of mind", {"reason": "Sent back unread"})]

PLACED_ORDER = response_example("One book", {**ORDER_EXAMPLE, "saga_status": "COMPLETED"})

DECLINE: dict[str, Any] = {
    "code": "payment_declined",
    "detail": "The account has not enough funds.",
    "reason": "insufficient_funds",
}

ORDER_WITH_PARCEL = {
    **ORDER_EXAMPLE,
    "parcel": {
        "status": "shipped",
        "carrier": "mock",
        "tracking_number": "trk_f0dd0a8da67e8e8fde5f",
        "shipped_at": "2026-11-22T08:30:00Z",
        "delivered_at": None,
    },
}

DRAFT_LIKE_AN_ORDER = {
    **ORDER_EXAMPLE,
    "status": "draft",
    "parcel": None,
    "left_out": [
        {"name": "book-456", "code": "out_of_stock", "detail": "Fewer copies are available than were asked for."}
    ],
}

ENTRY: dict[str, Any] = {
    "order_id": ORDER,
    "customer_id": "customer-001",
    "book_id": "book-123",
    "quantity": 1,
    "total_amount": 3850,
    "timestamp": FINISHED,
    "style": "orchestration",
    "actor": None,
}

CHARGED = {"amount": 3850, "currency": "JPY", "transaction_id": "txn_7cb04134cc9999bd1345", "attempts": 1}

IN_VAIN = {"command": "ArrangeShipping", "attempt": 1, "error": "ProviderUnavailable: connection refused"}

TIMELINE_ENTRIES = [
    response_example("A charge", {"position": 3, "event_type": "PaymentCompleted", **ENTRY, "data": CHARGED}),
    response_example(
        "A carrier called in vain", {"position": 4, "event_type": "AttemptFailed", **ENTRY, "data": IN_VAIN}
    ),
    response_example(
        "The end of an order that was declined",
        {
            "position": 5,
            "event_type": "OrderCancelled",
            **ENTRY,
            "data": {"code": DECLINE["code"], "reason": DECLINE["detail"]},
        },
    ),
]
