"""Clients that order while something happens to the topology."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

from tests.chaos.clients import Client, Order
from tests.chaos.shop import SEED, Shop

CLIENTS = 8


def placed_while(shop: Shop, styles: Sequence[str], happens: Callable[[Event], None], seconds: float) -> list[Order]:
    """Runs the clients for so many seconds, and until `happens` has returned. Returns all their orders.

    Each client orders in one of the styles. `happens` gets an event that is set when the time is over. The last
    requests may take longer: the clients repeat them until they have a final response.
    """
    is_over = Event()
    clients = [client_of(shop, styles[number % len(styles)], number) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        happening = threads.submit(happens, is_over)
        running = [
            threads.submit(client.all_orders, lambda: is_over.is_set() and happening.done()) for client in clients
        ]
        is_over.wait(seconds)
        is_over.set()
        happening.result()
        return [order for client in running for order in client.result()]


def client_of(shop: Shop, style: str, number: int) -> Client:
    return Client(shop.topology.url, shop.token, style, Random(f"{SEED} {style} {number}"))
