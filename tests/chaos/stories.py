"""What the clients of the chaos suite order, and how each order has to end."""

from collections.abc import Mapping, Sequence
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
    late_response: tuple[int, str] | None = None
    """The final response if the order has waited until SAGA_DEADLINE, if it may."""
    end: str = COMPLETED
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    postal_code: str = ADDRESS
    is_draft: bool = False
    is_cancelled: bool = False
    """The customer cancels the order after the first response."""

    @property
    def responses(self) -> Sequence[tuple[int, str] | None]:
        return (self.response, self.late_response)


STORIES = (
    Story("undisturbed", 27),
    Story("respond-async", 15, headers={"Prefer": "respond-async"}),
    Story("a draft, confirmed", 8, CONFIRMED, is_draft=True),
    Story("a draft, confirmed with respond-async", 4, CONFIRMED, headers={"Prefer": "respond-async"}, is_draft=True),
    Story("slow provider", 8, body={"payment_token": "tok_slow_700"}),
    Story("lost response of the provider", 5, body={"payment_token": "tok_timeout_1"}),
    Story(
        "declined",
        8,
        (402, "payment_declined"),
        end=CANCELLED,
        body={"payment_token": "tok_insufficient_funds"},
    ),
    Story(
        "declined, respond-async",
        4,
        (402, "payment_declined"),
        end=CANCELLED,
        body={"payment_token": "tok_expired_card"},
        headers={"Prefer": "respond-async"},
    ),
    Story("refused by the carrier", 4, (409, "shipping_failed"), end=CANCELLED, postal_code="000-0000"),
    Story(
        "carrier unavailable", 3, (409, "shipping_failed"), (409, "saga_timed_out"), CANCELLED, postal_code="999-9999"
    ),
    Story("out of stock", 4, (409, "out_of_stock"), end=NOTHING, body={"book_id": "book-456"}),
    Story(
        "out of stock, seen by the saga",
        4,
        (409, "out_of_stock"),
        end=CANCELLED,
        body={"book_id": "book-456"},
        headers={HEADER: "true"},
    ),
    Story("cancelled", 6, end=CANCELLED, is_cancelled=True),
)
