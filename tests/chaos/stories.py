"""What the clients of the chaos suite order, and how each order has to end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sagas.desk.demonstrations import HEADER

BOOKS = 50
ADDRESS = "150-0001"
COMPLETED, CANCELLED, NOTHING = "completed", "cancelled", ""
"""The statuses of an order in the end; nothing: it was refused before it was stored."""
PLACED, CONFIRMED = (201, ""), (200, "")


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of order."""

    name: str
    share: int
    """How many of a hundred orders are of this kind."""
    response: tuple[int, str] = PLACED
    """The final response to the order: the HTTP status, and the problem's code."""
    end: str = COMPLETED
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    postal_code: str = ADDRESS
    is_draft: bool = False
    is_cancelled: bool = False
    """The customer cancels the order after the first response."""


STORIES = (
    Story("undisturbed", 30),
    Story("respond-async", 15, headers={"Prefer": "respond-async"}),
    Story("a draft, confirmed", 8, CONFIRMED, is_draft=True),
    Story("a draft, confirmed with respond-async", 4, CONFIRMED, headers={"Prefer": "respond-async"}, is_draft=True),
    Story("slow provider", 8, body={"payment_token": "tok_slow_700"}),
    Story("lost response of the provider", 5, body={"payment_token": "tok_timeout_1"}),
    Story("declined", 8, (402, "payment_declined"), CANCELLED, {"payment_token": "tok_insufficient_funds"}),
    Story(
        "declined, respond-async",
        4,
        (402, "payment_declined"),
        CANCELLED,
        {"payment_token": "tok_expired_card"},
        {"Prefer": "respond-async"},
    ),
    Story("refused by the carrier", 4, (409, "shipping_failed"), CANCELLED, postal_code="000-0000"),
    Story("out of stock", 4, (409, "out_of_stock"), NOTHING, {"book_id": "book-456"}),
    Story(
        "out of stock, seen by the saga",
        4,
        (409, "out_of_stock"),
        CANCELLED,
        {"book_id": "book-456"},
        {HEADER: "true"},
    ),
    Story("cancelled", 6, end=CANCELLED, is_cancelled=True),
)
