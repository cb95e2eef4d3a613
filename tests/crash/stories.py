"""The stories that are interrupted by a crash: one order each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.test import APIClient

from tests.committed import let_reservations_expire, mark_as_delivered

BOOK, COUPON = "book-123", "CRASH"
Request = Callable[[], Any]


class End(NamedTuple):
    """The end of an order, in our records and at the providers."""

    order: str
    saga: str
    money_kept: int
    parcels: int
    copies_sold: int
    copies_held: int
    at_the_providers: tuple[tuple[str, int], ...]


COMPLETED = End("completed", "COMPLETED", 2200, 1, 2, 0, (("carrier", 1), ("payments", 2200)))
UNDONE = End("cancelled", "FAILED", 0, 0, 0, 0, ())
RETURNED = End("returned", "FAILED", 0, 0, 0, 0, (("carrier", 1),))
"""The carrier has delivered the parcel: that is not undone."""


@dataclass(frozen=True, slots=True)
class Story:
    """A request, and what fails besides the crash."""

    name: str
    end: End = COMPLETED
    """The end of the order without a crash."""
    body: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Failures of the providers during the request."""
    later_knobs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Failures of the providers when the worker runs."""
    prepare: "Callable[[APIClient, str, Story], Request]" = lambda client, style, story: place(client, style, story)
    """Prepares the request, and returns it. It can be repeated."""
    meanwhile: Callable[[UUID], Any] = lambda order_id: None
    """Runs after the crash and before the worker."""
    idle_commits: int = 0
    """The number of commits of the request that store nothing of the order: with the next one it has begun."""
    may_wait: bool = False
    """The outcome of a call may stay unknown, so that the saga waits until the client cancels the order."""
    mailed_before: frozenset[str] = frozenset()
    """The outcomes of which there is a mail before the request."""
    may_be_undone: bool = False
    """Depending on the boundary, the order may also be undone."""


def post(client: APIClient, path: str, body: Mapping[str, Any], key: str = "") -> Any:
    response = client.post(path, body, **({"HTTP_IDEMPOTENCY_KEY": key} if key else {}))
    assert response.status_code in {200, 201, 202, 402, 409}, response.content
    return response


def order(style: str) -> dict[str, Any]:
    items = [{"book_id": BOOK, "quantity": 2}]
    options = {"payment_method": "credit_card", "saga": style, "coupon": COUPON}
    return {"customer_id": "customer-001", "items": items, **options}


def place(client: APIClient, style: str, story: Story) -> Request:
    key = f"{timezone.now()}"
    return lambda: post(client, "/orders", {**order(style), **story.body}, key)


def cancel(client: APIClient, style: str, story: Story) -> Request:
    order_id = post(client, "/orders", order(style)).json()["order_id"]
    return lambda: post(client, f"/orders/{order_id}/cancel", {})


def send_back(client: APIClient, style: str, story: Story) -> Request:
    """Returns the request of an operator to return a delivered order."""
    order_id = post(client, "/orders", order(style)).json()["order_id"]
    mark_as_delivered(UUID(order_id))
    operator, _ = get_user_model().objects.get_or_create(username="operator", is_staff=True, is_superuser=True)
    desk = APIClient()
    desk.force_authenticate(operator)
    return lambda: post(desk, f"/orders/{order_id}/return", {})


def confirm(client: APIClient, style: str, story: Story) -> Request:
    draft = {"payment_method": "credit_card", "saga": style, "coupon": COUPON}
    order_id = post(client, "/orders", draft).json()["order_id"]
    post(client, f"/orders/{order_id}/items", {"book_id": BOOK, "quantity": 2})
    key = f"{timezone.now()}"
    return lambda: post(client, f"/orders/{order_id}/confirm", {}, key)


HAPPY = Story("completes")
E_MONEY = {"payment_method": "e_money"}
REFUSED = Story("is refused by the carrier", UNDONE, {"shipping_address": "000-0000", **E_MONEY})
CANCELLED = Story("is cancelled", UNDONE, prepare=cancel, idle_commits=2, mailed_before=frozenset({"completed"}))
SENT_BACK = Story("is returned", RETURNED, prepare=send_back, idle_commits=1, mailed_before=frozenset({"completed"}))
LOST_ONCE = Story("is charged, and the response is lost once", body={"payment_token": "tok_timeout_1"})
LOST = Story("is charged, and every response is lost", body={"payment_token": "tok_timeout_9"})
WAITING = Story("waits for the gateway", body=E_MONEY, knobs={"payments": {"drop_after": 1000}})
STORIES = (
    HAPPY,
    Story("is declined", UNDONE, {"payment_token": "tok_insufficient_funds"}),
    REFUSED,
    Story("finds the carrier down", UNDONE, {"shipping_address": "999-9999"}, may_wait=True),
    LOST_ONCE,
    LOST,
    WAITING,
    Story("waits for the carrier, which refuses", UNDONE, REFUSED.body, knobs={"carrier": {"drop_after": 1000}}),
    CANCELLED,
    SENT_BACK,
    Story("was a draft", prepare=confirm),
    Story("finds the gateway down later", later_knobs={"payments": {"unavailable": 4}}, may_be_undone=True),
    Story(
        "has a reservation that expires",
        meanwhile=lambda order_id: let_reservations_expire(order_id=order_id),
        may_be_undone=True,
    ),
)
