"""What happens to the orders of the load: most complete, the others fail in every usual way."""

import random
from dataclasses import dataclass, field
from typing import Any

from benchmarks.loads import BOOKS
from sagas.desk.demonstrations import HEADER

HOME = "150-0001 東京都渋谷区神宮前1-2-3"
SOLD_OUT, LAST_COPIES = "book-456", "book-123"
"""Books of `manage.py seed`; the first has no copy, the second few."""
COMPLETED, DECLINED, UNDELIVERED, NO_STOCK = (
    (201, ""),
    (402, "payment_declined"),
    (409, "shipping_failed"),
    (409, "out_of_stock"),
)
"""Responses to an order: the HTTP status, and the problem's code."""


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of order."""

    name: str
    share: int
    """Percent of all orders."""
    expected: frozenset[tuple[int, str]] = frozenset({COMPLETED})
    """The right responses."""
    options: dict[str, Any] = field(default_factory=dict)
    """Members of the request that make the story happen."""
    headers: dict[str, str] = field(default_factory=dict)
    is_cancelled: bool = False
    """The customer cancels the order once it is completed."""

    def request(self, style: str, dice: random.Random) -> dict[str, Any]:
        """Returns the body of POST /orders: one copy of a random book, unless the story says which."""
        return {
            "book_id": f"made-up-{dice.randint(1, BOOKS):07}",
            "quantity": 1,
            "payment_method": "credit_card",
            "shipping_address": HOME,
            "saga": style,
            **self.options,
        }


PLAIN = Story("undisturbed", 48)
DECLINED_PAYMENT = Story("payment declined", 8, frozenset({DECLINED}), {"payment_token": "tok_insufficient_funds"})
CARRIER_DOWN = Story("carrier down", 8, frozenset({UNDELIVERED}), {"shipping_address": "999-9999 Nowhere"})
CANCELLED = Story("cancelled by the customer", 5, is_cancelled=True)
UNCHECKED = Story("sold out, seen by the saga", 5, frozenset({NO_STOCK}), {"book_id": SOLD_OUT}, {HEADER: "true"})
FEW_COPIES = Story("last copies", 5, frozenset({COMPLETED, NO_STOCK}), {"book_id": LAST_COPIES})

STORIES = (
    PLAIN,
    Story("slow payment provider (250 ms)", 5, options={"payment_token": "tok_slow_250"}),
    Story("response of the payment provider lost", 5, options={"payment_token": "tok_timeout_1"}),
    Story("carrier fails twice, then works", 6, options={"shipping_address": "998-0002 Elsewhere"}),
    FEW_COPIES,
    Story("sold out", 5, frozenset({NO_STOCK}), {"book_id": SOLD_OUT}),
    UNCHECKED,
    DECLINED_PAYMENT,
    CARRIER_DOWN,
    CANCELLED,
)


def deal(number: int, dice: random.Random) -> list[Story]:
    """Returns the stories of so many orders, shuffled, each in its share. From 20 orders on, every story is there."""
    hundred = [story for story in STORIES for _ in range(story.share)]
    stories = [hundred[at * len(hundred) // number] for at in range(number)]
    dice.shuffle(stories)
    return stories
