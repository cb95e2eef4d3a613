"""Clients that repeat a request under its key until it has a final response, as a client of Stripe's API does."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests.chaos.stories import ADDRESS, BOOKS, STORIES, Story

PATIENCE = 90
"""Seconds in which a request has to get its final response."""
TIMEOUT = 30
"""Seconds for one response."""
IN_PROGRESS = {"idempotency_key_in_use", "conflict"}
"""Codes of a 409 that asks for a repeat."""
RUN, NUMBERS = uuid4().hex[:8], count(1)
"""Together they name an order, and its keys."""
REPLAYED = "Idempotent-Replayed"


class Attempt(NamedTuple):
    """One response to a request. Status 0: there was none. Times are seconds of the monotonic clock."""

    status: int
    body: Mapping[str, Any]
    began: float
    ended: float
    is_replay: bool = False
    error: str = ""

    @property
    def outcome(self) -> tuple[int, str]:
        """Returns the HTTP status, and the problem's code if it is one."""
        return self.status, str(self.body.get("code", "")) if self.status >= 400 else ""

    @property
    def is_final(self) -> bool:
        status, code = self.outcome
        return status not in {0, 503} and code not in IN_PROGRESS


@dataclass(frozen=True, slots=True)
class Request:
    """One request, with all its attempts."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def last(self) -> Attempt:
        return self.attempts[-1]

    @property
    def seconds(self) -> float:
        return self.last.ended - self.attempts[0].began


@dataclass(frozen=True, slots=True)
class Order:
    """What a client did for one order."""

    tag: str
    """Part of its address, by which it is found in the database."""
    story: Story
    requests: list[Request] = field(default_factory=list)
    cancellation: list[Request] = field(default_factory=list)

    @property
    def placed(self) -> Request:
        """Returns the request that makes it an order."""
        return self.requests[-1]


class Client:
    """One client with a connection of its own."""

    def __init__(self, url: str, token: str, style: str, chance: Random) -> None:
        self.style, self.chance = style, chance
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False
        )

    def all_orders(self, is_over: Callable[[], bool]) -> list[Order]:
        """Places one order after the other until the time is over."""
        orders: list[Order] = []
        with self.http:
            while not is_over():
                orders.append(self.play(f"{RUN}-{next(NUMBERS)}"))
        return orders

    def play(self, tag: str) -> Order:
        story = self.chance.choices(STORIES, [story.share for story in STORIES])[0]
        order = Order(tag, story)
        self.confirm_draft(order) if story.is_draft else self.place(order)
        if story.is_cancelled and (order_id := order.placed.last.body.get("order_id")):
            request = Request(f"/orders/{order_id}/cancel", {}, {})
            order.cancellation.append(request)
            self.send(request)
        return order

    def place(self, order: Order) -> None:
        body = {"book_id": self.any_book(), "quantity": 1, **self.options(order), **order.story.body}
        self.ask(order, "/orders", body, order.story.headers)

    def confirm_draft(self, order: Order) -> None:
        draft = self.ask(order, "/orders", self.options(order)).last
        path = f"/orders/{draft.body.get('order_id')}"
        self.ask(order, f"{path}/items", {"book_id": self.any_book(), "quantity": 1})
        self.ask(order, f"{path}/confirm", order.story.body, order.story.headers)

    def options(self, order: Order) -> dict[str, Any]:
        address = f"{order.story.postal_code or ADDRESS} {order.tag}"
        return {"payment_method": "credit_card", "shipping_address": address, "saga": self.style}

    def any_book(self) -> str:
        return f"made-up-{self.chance.randint(1, BOOKS):07}"

    def ask(
        self, order: Order, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Request:
        """Sends a request of the order with a key of its own."""
        key = f"{order.tag}-{len(order.requests)}"
        request = Request(path, body, {**(headers or {}), "Idempotency-Key": key})
        order.requests.append(request)
        self.send(request)
        return request

    def send(self, request: Request) -> None:
        """Repeats the request until its response is final. Raises TimeoutError if it is not in time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            request.attempts.append(attempt(self.http, request))
            if request.last.is_final:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{request.path} {request.headers}: {[each.outcome for each in request.attempts]}")
            time.sleep(self.chance.uniform(0.1, 0.5))  # a client's backoff

    def send_again(self, request: Request) -> Attempt:
        """Sends the request as if it were new. Returns its final response."""
        again = Request(request.path, request.body, request.headers)
        self.send(again)
        return again.last


def attempt(http: httpx.Client, request: Request) -> Attempt:
    began = time.monotonic()
    try:
        response = http.post(request.path, json=dict(request.body), headers=dict(request.headers))
    except httpx.HTTPError as error:
        return Attempt(0, {}, began, time.monotonic(), error=repr(error))
    return Attempt(response.status_code, body_of(response), began, time.monotonic(), REPLAYED in response.headers)


def body_of(response: httpx.Response) -> dict[str, Any]:
    """Returns the JSON object of the response. Without one there is no problem code, and the text takes its place."""
    try:
        return dict(response.json())
    except ValueError:
        return {"code": "no_json", "detail": response.text[:200]}
