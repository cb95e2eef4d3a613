"""The stories of the shop, as the API's documentation tells them: what is asked, and what is answered."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

ORDER = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
PLACED, DONE = "2026-11-21T09:00:00.878752Z", "2026-11-21T09:00:00.893904Z"
HOME = {"postal_code": "150-0001", "address": "東京都渋谷区神宮前1-2-3", "country": "JP"}
OSAKA = {"postal_code": "530-0001", "address": "大阪府大阪市北区梅田4-5-6"}
BERLIN = {"postal_code": "10115", "address": "Invalidenstraße 43, Berlin", "country": "DE"}
ONE_BOOK = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}


def asked(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def answered(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True)


ORDERS = [
    asked("One book", ONE_BOOK),
    asked(
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
    asked("In the other style", {**ONE_BOOK, "saga": "choreography"}),
    asked(
        "To another address, by a provider that fails twice",
        {
            **ONE_BOOK,
            "payment_token": "tok_unavailable_2",
            "shipping_address": OSAKA,
        },
    ),
    asked("Abroad", {**ONE_BOOK, "shipping_address": BERLIN}),
]
DRAFTS = [
    asked("A draft", {}),
    asked("A draft, with all that can be said now", {"payment_method": "credit_card", "coupon": "WELCOME10"}),
]
DRAFT_CHANGES = [asked("A coupon", {"coupon": "WELCOME10"}), asked("To another address", {"shipping_address": OSAKA})]
CONFIRMATIONS = [
    asked("By card", {"payment_method": "credit_card", "payment_token": "tok_ok"}),
    asked("As the draft says", {}),
]
A_BOOK_MORE = [
    asked("Two copies", {"book_id": "book-123", "quantity": 2}),
    asked("At the price that was shown", {"book_id": "book-123", "quantity": 1, "price": 3500}),
]
QUANTITY = [asked("Three copies", {"quantity": 3})]
CANCELLATION = [asked("A change of mind", {"reason": "Ordered twice by mistake"})]
RETRY = [asked("Nothing more", {}), asked("With a reason", {"reason": "The bank is up again"})]
COMPENSATION = [asked("With a reason", {"reason": "The print run was recalled"}), asked("Nothing more", {})]
RESUMPTION = [asked("With a reason", {"reason": "The bank has opened the card again"}), asked("Nothing more", {})]
GIVING_UP = [asked("A refund that is never taken", {"reason": "The card is closed; refunded by bank transfer 4711"})]

ORDER_TOLD: dict[str, Any] = {
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
    "created_at": PLACED,
}
ONE_BOOK_PLACED = answered("One book", {**ORDER_TOLD, "saga_status": "COMPLETED"})
SAGA_TOLD: dict[str, Any] = {
    "saga_id": "01a1fc13-06f5-7235-ad02-85a71705bde9",
    "order_id": ORDER,
    "style": "orchestration",
    "status": "FAILED",
    "current_step": "",
    "failure": {
        "code": "payment_declined",
        "detail": "The account has not enough funds.",
        "reason": "insufficient_funds",
    },
    "attention": None,
    "given_up_at": None,
    "started_at": PLACED,
    "finished_at": DONE,
    "history": ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "COMPENSATION_STARTED", "FAILED"],
    "steps": [
        {
            "seq": seq,
            "step": step,
            "direction": direction,
            "attempt": 1,
            "status": status,
            "state": state,
            "error": error,
            "started": PLACED,
            "finished": None if status == "started" else DONE,
        }
        for seq, (step, direction, status, state, error) in enumerate(
            [
                ("create_order", "do", "done", "ORDER_CREATED", ""),
                ("reserve_stock", "do", "done", "STOCK_RESERVED", ""),
                ("process_payment", "do", "started", "", ""),
                ("process_payment", "do", "failed", "COMPENSATION_STARTED", "The account has not enough funds."),
                ("process_payment", "undo", "skipped", "", ""),
                ("reserve_stock", "undo", "done", "", ""),
                ("create_order", "undo", "done", "", ""),
            ],
            start=1,
        )
    ],
    "events": [],
    "actions": [],
}

STOCK_TOLD: dict[str, Any] = {
    "book_id": "book-123",
    "title": "クラウド設計パターン集",
    "price": 3500,
    "total_quantity": 5,
    "reserved_quantity": 1,
    "available_quantity": 4,
}
HOLD: dict[str, Any] = {
    "reservation_id": "01a1fc13-06f6-7235-ad02-85a71705bde9",
    "quantity": 1,
    "expires_at": "2026-11-21T09:15:00.878752Z",
}
STOCK_THEN_TOLD: dict[str, Any] = {
    **{name: value for name, value in STOCK_TOLD.items() if name != "price"},
    "as_of": PLACED,
    "version": 2,
}
STOCK_EVENT_TOLD: dict[str, Any] = {
    "version": 2,
    "type": "StockReserved",
    "on_hand_delta": 0,
    "reserved_delta": 1,
    "on_hand_after": 5,
    "reserved_after": 1,
    "happened_at": PLACED,
    "order_id": ORDER,
    "reservation_id": HOLD["reservation_id"],
    "reference": None,
    "reason": "",
    "actor": "",
}
STOCK_AND_HOLDS_TOLD = {**STOCK_TOLD, "reservations": [{**HOLD, "order_id": ORDER}]}
HOLDS_TOLD = {"order_id": ORDER, "reservations": [{**HOLD, "book_id": "book-123", "status": "active"}]}
HOLD_ONE_BOOK = asked("One book", {"order_id": ORDER, "items": [{"book_id": "book-123", "quantity": 1}]})
DELIVERY = asked("A delivery", {"quantity": 100, "reference": "delivery-42"})
COUNT = asked("Two are missing", {"delta": -2, "reason": "stocktaking", "reference": "count-2026-11"})

CHARGE = asked(
    "A card", {"order_id": ORDER, "amount": 3850, "payment_method": "credit_card", "payment_token": "tok_ok"}
)
THE_ORDER = asked("The order", {"order_id": ORDER})
REFUNDS = [
    asked("All that is left", {"order_id": ORDER}),
    asked("A part", {"order_id": ORDER, "amount": 500, "reference": "return-1", "reason": "A torn page"}),
]
PAYMENT_TOLD: dict[str, Any] = {
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
            "created_at": PLACED,
        }
    ],
    "created_at": PLACED,
    "updated_at": DONE,
}

PARCEL = asked("To Tokyo", {"order_id": ORDER, "shipping_address": "〒150-0001 東京都渋谷区神宮前1-2-3"})
PARCEL_TOLD: dict[str, Any] = {
    "shipment_id": "01a1fc13-06f9-77e8-a6c1-134cda55788b",
    "order_id": ORDER,
    "status": "arranged",
    "carrier": "mock",
    "tracking_number": "trk_f0dd0a8da67e8e8fde5f",
    "address": HOME,
    "failure": "",
    "created_at": PLACED,
    "updated_at": DONE,
}
