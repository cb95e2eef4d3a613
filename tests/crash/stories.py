"""What a process was doing when it died: one order each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.utils import timezone
from rest_framework.test import APIClient

from tests.committed import let_reservations_expire

BOOK = "book-123"
Act = Callable[[], Any]


class End(NamedTuple):
    """Where an order stands, in our books and in the providers'."""

    order: str
    saga: str
    money_kept: int
    parcels: int
    copies_sold: int
    copies_held: int
    at_the_providers: tuple[tuple[str, int], ...]


COMPLETED = End("completed", "COMPLETED", 2200, 1, 2, 0, (("carrier", 1), ("payments", 2200)))
UNDONE = End("cancelled", "FAILED", 0, 0, 0, 0, ())


@dataclass(frozen=True, slots=True)
class Story:
    """A request, and what goes wrong with it besides the crash."""

    name: str
    end: End = COMPLETED
    """Where it comes to if nobody is killed."""
    body: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Troubles of the providers, which are over when the worker comes."""
    later_knobs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Troubles that it comes across."""
    prepare: "Callable[[APIClient, str, Story], Act]" = lambda client, style, story: place(client, style, story)
    """Does what comes before; returns the request. Repeated, it is the same request."""
    meanwhile: Callable[[UUID], Any] = lambda order_id: None
    """What happens after the crash, and before the worker comes."""
    idle_commits: int = 0
    """So many transactions of the request only look; with the next one it has begun."""
    may_wait: bool = False
    """What was asked for just then may stay in doubt for good; a client can still cancel the order."""
    may_be_undone: bool = False
    """Which of the two ends comes of it depends on the instant."""


def post(client: APIClient, path: str, body: Mapping[str, Any], key: str = "") -> Any:
    answer = client.post(path, body, **({"HTTP_IDEMPOTENCY_KEY": key} if key else {}))
    assert answer.status_code in {200, 201, 202, 402, 409}, answer.content
    return answer


def order(style: str) -> dict[str, Any]:
    items = [{"book_id": BOOK, "quantity": 2}]
    return {"customer_id": "customer-001", "payment_method": "credit_card", "saga": style, "items": items}


def place(client: APIClient, style: str, story: Story) -> Act:
    key = f"{timezone.now()}"
    return lambda: post(client, "/orders", {**order(style), **story.body}, key)


def cancel(client: APIClient, style: str, story: Story) -> Act:
    order_id = post(client, "/orders", order(style)).json()["order_id"]
    return lambda: post(client, f"/orders/{order_id}/cancel", {})


def confirm(client: APIClient, style: str, story: Story) -> Act:
    draft = {"payment_method": "credit_card", "saga": style}
    order_id = post(client, "/orders", draft).json()["order_id"]
    post(client, f"/orders/{order_id}/items", {"book_id": BOOK, "quantity": 2})
    key = f"{timezone.now()}"
    return lambda: post(client, f"/orders/{order_id}/confirm", {}, key)


HAPPY = Story("completes")
REFUSED = Story("is refused by the carrier", UNDONE, {"shipping_address": "000-0000"})
CANCELLED = Story("is cancelled", UNDONE, prepare=cancel, idle_commits=2)
LOST_ONCE = Story("is charged, and the answer lost once", body={"payment_token": "tok_timeout_1"})
LOST = Story("is charged, and every answer lost", body={"payment_token": "tok_timeout_9"})
WAITING = Story("waits for the gateway", knobs={"payments": {"drop_after": 1000}})
STORIES = (
    HAPPY,
    Story("is declined", UNDONE, {"payment_token": "tok_insufficient_funds"}),
    REFUSED,
    Story("finds the carrier down", UNDONE, {"shipping_address": "999-9999"}, may_wait=True),
    LOST_ONCE,
    LOST,
    WAITING,
    Story("waits for the carrier, who refuses", UNDONE, REFUSED.body, knobs={"carrier": {"drop_after": 1000}}),
    CANCELLED,
    Story("was a draft", prepare=confirm),
    Story("finds the gateway down later", later_knobs={"payments": {"unavailable": 4}}, may_be_undone=True),
    Story(
        "is held for too short a time",
        meanwhile=lambda order_id: let_reservations_expire(order_id=order_id),
        may_be_undone=True,
    ),
)
