"""The users of the load: each orders over a connection of its own, when an order is due, whatever the server does."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

from benchmarks.connection import Connection, Response
from benchmarks.open_loop import HEAD_START, schedule
from benchmarks.report.stories import Story, deal

CANCELLED = (200, "")
"""The right response to a cancellation."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its response. Times are seconds since the epoch."""

    sent: float
    responded: float
    milliseconds: float
    """From when it was due until its whole response had arrived."""
    status: int
    code: str
    """Of the problem; "" if there is none."""
    order_id: str
    """That the response names; "" if it names none."""

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one order of the load."""

    story: Story
    style: str
    order: Request
    cancellation: Request | None = None

    @property
    def requests(self) -> tuple[Request, ...]:
        return (self.order, self.cancellation) if self.cancellation else (self.order,)

    @property
    def unexpected(self) -> list[str]:
        """The responses that are wrong for the story."""
        wrong = [] if self.order.outcome in self.story.expected else [self.order]
        if self.cancellation and self.cancellation.outcome != CANCELLED:
            wrong.append(self.cancellation)
        return [f"{self.story.name}: {each.status or 'no response'} {each.code}".strip() for each in wrong]


class User(Thread):
    """Sends its orders when they are due; late ones immediately after each other."""

    def __init__(self, port: int, token: str, style: str, orders: Sequence[tuple[float, Story]], begin: float) -> None:
        super().__init__(daemon=True)
        self._connection, self._style, self._orders, self._begin = Connection(port, token), style, orders, begin
        self.results: list[Result] = []

    def run(self) -> None:
        if self._orders:
            self._connection.open()
        for due, story in self._orders:
            time.sleep(max(0.0, self._begin + due - time.monotonic()))
            self.results.append(self._play(story, self._begin + due))
        self._connection.close()

    def _play(self, story: Story, due: float) -> Result:
        order = self._send("/orders", story.request(self._style, random.Random()), due, story.headers)
        if not story.is_cancelled or order.outcome not in story.expected:
            return Result(story, self._style, order)
        body = {"reason": "A change of mind"}
        cancellation = self._send(f"/orders/{order.order_id}/cancel", body, time.monotonic(), {})
        return Result(story, self._style, order, cancellation)

    def _send(self, path: str, body: dict[str, Any], due: float, headers: dict[str, str]) -> Request:
        sent = time.time()
        response = self._connection.post(path, body, headers)
        taken = (time.monotonic() - due) * 1000
        return Request(sent, time.time(), taken, response.status, *_named(response))


def _named(response: Response) -> tuple[str, str]:
    """Returns the problem's code and the order's id, where the response has them."""
    body = response.body
    return "" if response.is_2xx else str(body.get("code", "")), str(body.get("order_id") or "")


def run_users(port: int, tokens: Sequence[str], style: str, rate: float, seconds: float) -> Iterator[Result]:
    """Has one user for each token, who together send `rate` orders per second. Returns all results at the end."""
    dice = random.Random()
    due = schedule(rate, seconds, len(tokens), dice)
    stories = iter(deal(sum(map(len, due)), dice))
    begin = time.monotonic() + HEAD_START
    users = [
        User(port, token, style, [(moment, next(stories)) for moment in moments], begin)
        for token, moments in zip(tokens, due, strict=True)
    ]
    for user in users:
        user.start()
    for user in users:
        user.join()
    return (result for user in users for result in user.results)
