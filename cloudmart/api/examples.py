"""Examples of requests and responses, for the API's documentation."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

ORDER = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
CREATED, FINISHED = "2026-11-21T09:00:00.878752Z", "2026-11-21T09:00:00.893904Z"
HOME = {"postal_code": "150-0001", "address": "東京都渋谷区神宮前1-2-3", "country": "JP"}
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


def request_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def response_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True)


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
WITHOUT_REASON = request_example("Without a reason", {})
RETRY = [WITHOUT_REASON, request_example("With a reason", {"reason": "The bank is available again"})]
COMPENSATION = [request_example("With a reason", {"reason": "The print run was recalled"}), WITHOUT_REASON]
RESUMPTION = [request_example("With a reason", {"reason": "The bank has opened the card again"}), WITHOUT_REASON]
CLOSED_CARD = {"reason": "The card is closed; refunded by bank transfer 4711"}
ABANDONMENT = [request_example("A refund that the provider never accepts", CLOSED_CARD)]

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
PLACED_ORDER = response_example("One book", {**ORDER_EXAMPLE, "saga_status": "COMPLETED"})
DECLINE: dict[str, Any] = {
    "code": "payment_declined",
    "detail": "The account has not enough funds.",
    "reason": "insufficient_funds",
}

SAGA_STEPS: list[tuple[str, str, str, str, str, dict[str, Any]]] = [
    ("create_order", "do", "done", "ORDER_CREATED", "CreateOrder", {}),
    ("reserve_stock", "do", "done", "STOCK_RESERVED", "ReserveStock", {}),
    ("process_payment", "do", "started", "", "ProcessPayment", {"amount": 3850}),
    (
        "process_payment",
        "do",
        "failed",
        "COMPENSATION_STARTED",
        "ProcessPayment",
        {"amount": 3850, **DECLINE},
    ),
    ("process_payment", "undo", "skipped", "", "RefundPayment", {}),
    ("reserve_stock", "undo", "done", "", "ReleaseStock", {}),
    ("create_order", "undo", "done", "", "CancelOrder", {}),
]

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
SAGA_EXAMPLE: dict[str, Any] = {
    "saga_id": "01a1fc13-06f5-7235-ad02-85a71705bde9",
    "order_id": ORDER,
    "style": "orchestration",
    "status": "FAILED",
    "current_step": "",
    "failure": DECLINE,
    "attention": None,
    "abandoned_at": None,
    "started_at": CREATED,
    "finished_at": FINISHED,
    "history": ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "COMPENSATION_STARTED", "FAILED"],
    "steps": [
        {
            "seq": seq,
            "step": step,
            "direction": direction,
            "attempt": 1,
            "status": status,
            "state": state,
            "error": detail.get("detail", ""),
            "detail": {"command": command, **detail},
            "started": CREATED,
            "finished": None if status == "started" else FINISHED,
        }
        for seq, (step, direction, status, state, command, detail) in enumerate(
            SAGA_STEPS,
            start=1,
        )
    ],
    "events": [],
    "actions": [],
}

NEW_BOOKS = [
    request_example("A book", {"book_id": "book-321", "title": "分散システム入門", "price": 4200}),
    request_example(
        "With its first copies", {"book_id": "book-322", "title": "The Saga Book", "price": 3800, "quantity": 20}
    ),
]
BOOK_CHANGES = [
    request_example("Another price", {"price": 3200}),
    request_example("No longer sold", {"archived": True}),
    request_example("Sold again", {"archived": False}),
]
BOOK_EXAMPLE: dict[str, Any] = {
    "book_id": "book-123",
    "title": "クラウド設計パターン集",
    "price": 3500,
    "currency": "JPY",
    "archived": False,
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

STOCK_EXAMPLE: dict[str, Any] = {
    "book_id": "book-123",
    "title": "クラウド設計パターン集",
    "price": 3500,
    "archived": False,
    "total_quantity": 5,
    "reserved_quantity": 1,
    "available_quantity": 4,
}
HOLD: dict[str, Any] = {
    "reservation_id": "01a1fc13-06f6-7235-ad02-85a71705bde9",
    "quantity": 1,
    "expires_at": "2026-11-21T09:15:00.878752Z",
}
OF_ORDER = {"order_id": ORDER, "held_since": CREATED}
STOCK_AT_TIME_EXAMPLE: dict[str, Any] = {
    **{name: value for name, value in STOCK_EXAMPLE.items() if name not in {"price", "archived"}},
    "as_of": CREATED,
    "version": 2,
    "reservations": [{"reservation_id": HOLD["reservation_id"], "quantity": 1, **OF_ORDER}],
}
STOCK_EVENT_EXAMPLE: dict[str, Any] = {
    "version": 2,
    "type": "StockReserved",
    "on_hand_delta": 0,
    "reserved_delta": 1,
    "on_hand_after": 5,
    "reserved_after": 1,
    "happened_at": CREATED,
    "order_id": ORDER,
    "reservation_id": HOLD["reservation_id"],
    "reference": None,
    "reason": "",
    "actor": "",
}
STOCK_WITH_RESERVATIONS_EXAMPLE = {**STOCK_EXAMPLE, "reservations": [{**HOLD, **OF_ORDER}]}
RESERVATIONS_EXAMPLE = {"order_id": ORDER, "reservations": [{**HOLD, "book_id": "book-123", "status": "active"}]}
ONE_COPY: dict[str, Any] = {"order_id": ORDER, "items": [{"book_id": "book-123", "quantity": 1}]}
HOLD_IN_SHORT = request_example("One book in short", {"order_id": ORDER, "book_id": "book-123", "quantity": 1})
RESERVATION_REPORT = {
    "as_of": "2026-11-21T09:05:00.878752Z",
    "by_age": [
        {"status": "active", "age": "up to 15 minutes", "reservations": 1, "copies": 1},
        {"status": "confirmed", "age": "1 to 7 days", "reservations": 12, "copies": 14},
    ],
    "by_time_to_expiry": [{"time_to_expiry": "5 to 15 minutes", "reservations": 1, "copies": 1}],
    "oldest": {**HOLD, **OF_ORDER, "book_id": "book-123"},
}
MOVEMENT = {
    "day": "2026-11-21",
    "book_id": "book-123",
    "title": "クラウド設計パターン集",
    "added": 100,
    "sold": 12,
    "returned": 1,
    "adjusted": -2,
    "reserved": 15,
    "released": 2,
    "expired": 0,
}
HOLD_ONE_BOOK = request_example("One book", ONE_COPY)
HOLD_FOR_FIVE_MINUTES = request_example("For five minutes", {**ONE_COPY, "expires_in": 300})
DELIVERY = request_example("A delivery", {"quantity": 100, "reference": "delivery-42"})
COUNT = request_example("Two are missing", {"delta": -2, "reason": "stocktaking", "reference": "count-2026-11"})

CHARGE = request_example(
    "A card", {"order_id": ORDER, "amount": 3850, "payment_method": "credit_card", "payment_token": "tok_ok"}
)
WHOLE_ORDER = request_example("The order", {"order_id": ORDER})
REFUNDS = [
    request_example("The whole remaining amount", {"order_id": ORDER}),
    request_example("A part", {"order_id": ORDER, "amount": 500, "reference": "return-1", "reason": "A torn page"}),
]
PAYMENT_EXAMPLE: dict[str, Any] = {
    "payment_id": "01a1fc13-06f7-7190-8318-6189e268d520",
    "order_id": ORDER,
    "amount": 3850,
    "refunded_amount": 500,
    "payment_method": "credit_card",
    "status": "captured",
    "transaction_id": "txn_7cb04134cc9999bd1345",
    "failure": "",
    "refunds": [
        {
            "refund_id": "01a1fc13-06f8-7190-8318-6189e268d520",
            "reference": "return-1",
            "amount": 500,
            "reason": "A torn page",
            "status": "refunded",
            "transaction_id": "re_f0dd0a8da67e8e8fde5f",
            "created_at": CREATED,
        }
    ],
    "created_at": CREATED,
    "updated_at": FINISHED,
}

PARCEL = request_example("To Tokyo", {"order_id": ORDER, "shipping_address": "〒150-0001 東京都渋谷区神宮前1-2-3"})
CARRIER_EVENTS = [
    request_example(
        "Collected",
        {
            "type": "parcel.shipped",
            "timestamp": "2026-11-22T08:30:00Z",
            "data": {"parcel_key": "arrange-01a1fc13-06f9-77e8-a6c1-134cda55788b"},
        },
    ),
    request_example(
        "Delivered",
        {
            "type": "parcel.delivered",
            "timestamp": "2026-11-23T14:05:00Z",
            "data": {"parcel_key": "arrange-01a1fc13-06f9-77e8-a6c1-134cda55788b"},
        },
    ),
]
PARCEL_EXAMPLE: dict[str, Any] = {
    "shipment_id": "01a1fc13-06f9-77e8-a6c1-134cda55788b",
    "order_id": ORDER,
    "status": "arranged",
    "carrier": "mock",
    "tracking_number": "trk_f0dd0a8da67e8e8fde5f",
    "address": HOME,
    "shipped_at": None,
    "delivered_at": None,
    "failure": "",
    "created_at": CREATED,
    "updated_at": FINISHED,
}
