"""What must hold of every order after the chaos."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

from tests.chaos.clients import Attempt, Client, Order, Request
from tests.chaos.load import CLIENTS
from tests.chaos.shop import SEED, Shop
from tests.chaos.stories import NOTHING

STATUSES = {200, 201, 202, 402, 409, 503}
"""Success, accepted, refused, and come back later. There must be no other response."""
OWN = {"request_id", "instance"}
"""What a response says of its request alone."""


def never(began: float, ended: float) -> bool:
    return False


def check_everything(shop: Shop, orders: Sequence[Order], excused: Callable[[float, float], bool] = never) -> float:
    """Checks the responses, waits until everything is finished, and checks what is there.

    Returns the seconds until the last order was finished.
    """
    check_responses(orders, excused)
    seconds = shop.drain()
    check_replays(shop, orders)
    check_database(shop, orders)
    return seconds


def check_responses(orders: Iterable[Order], excused: Callable[[float, float], bool]) -> None:
    """Checks that there were only right responses. There may be none at all when it is excused: nginx was away."""
    for request in requests_of(orders):
        for each in request.attempts:
            is_excused = not each.status and excused(each.began, each.ended)
            assert each.status in STATUSES or is_excused, (request.path, each)
    for order in orders:
        last = order.placed.last
        assert last.status == 202 or last.outcome in order.story.responses, (order.story.name, last)


def check_replays(shop: Shop, orders: Iterable[Order]) -> None:
    """Checks that each key has one response for ever: the one that its client has received."""
    client = Client(shop.topology.url, shop.token, "", Random(SEED))
    with client.http, ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(lambda order: check_replay(client, order), orders))


def check_replay(client: Client, order: Order) -> None:
    for request in order.requests:
        first, second = client.send_again(request), client.send_again(request)
        assert first.is_replay and second.is_replay, (order.story.name, first)
        assert shared(first) == shared(second)
        assert request.last.status == 202 or shared(first) == shared(request.last)
    assert first.outcome in order.story.responses, (order.story.name, first)


def shared(response: Attempt) -> tuple[int, dict[str, Any]]:
    return response.status, {name: value for name, value in response.body.items() if name not in OWN}


def check_database(shop: Shop, orders: Iterable[Order]) -> None:
    """Checks that each request became one order or none, and that it ended as its story says, whole or undone."""
    found, ends = shop.findings(), defaultdict(list)
    for _, address, status in found["orders"]:
        ends[address.split(" ")[-1]].append(status)
    for order in orders:
        assert ends[order.tag] == ([] if order.story.end == NOTHING else [order.story.end]), order
    assert (found["broken"], found["strangers"], found["attention"]) == ({}, [], [])


def requests_of(orders: Iterable[Order]) -> Iterator[Request]:
    for order in orders:
        yield from (*order.requests, *order.cancellation)
