"""Examples of books and their stock."""

from typing import Any

from cloudmart.api.examples import CREATED, ORDER, request_example

NEW_BOOKS = [
    request_example("A book", {"book_id": "book-321", "title": "分散システム入門", "price": 4200}),
    request_example(
        "With its first copies", {"book_id": "book-322", "title": "The Saga Book", "price": 3800, "quantity": 20}
    ),
]

BOOK_CHANGES = [
    request_example("Another price", {"price": 3200}),
    request_example("An event when three copies are left", {"low_stock_threshold": 3}),
    request_example("No longer sold", {"archived": True}),
    request_example("Sold again", {"archived": False}),
]

BOOK_EXAMPLE: dict[str, Any] = {
    "book_id": "book-123",
    "title": "クラウド設計パターン集",
    "price": 3500,
    "currency": "JPY",
    "archived": False,
    "low_stock_threshold": 3,
}

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

STOCK_WITH_RESERVATIONS_EXAMPLE = {**STOCK_EXAMPLE, "low_stock_threshold": 3, "reservations": [{**HOLD, **OF_ORDER}]}

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
