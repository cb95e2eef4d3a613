"""An open loop over HTTP: orders are due at times that do not depend on the responses.

An order's latency counts from when it was due, not from when it was sent. So a server that is late is seen to be late
for every order that had to wait, which a closed loop hides ("coordinated omission").
"""

import random
import time
from collections.abc import Sequence
from threading import Thread

from benchmarks.connection import Connection
from benchmarks.server import Server
from benchmarks.window import Window

HEAD_START = 0.2
"""Seconds for the clients to connect, before the first order is due."""


def schedule(rate: float, seconds: float, clients: int, dice: random.Random) -> list[list[float]]:
    """Returns for each client the seconds at which its orders are due, ascending.

    All together send `rate * seconds` orders at random moments. A client thinks between them for `clients / rate`
    seconds on average.
    """
    due: list[list[float]] = [[] for _ in range(clients)]
    for moment in sorted(dice.uniform(0, seconds) for _ in range(round(rate * seconds))):
        dice.choice(due).append(moment)
    return due


class Client(Thread):
    """Sends its orders when they are due, over a connection of its own; late ones immediately after each other."""

    def __init__(self, port: int, token: str, style: str, books: int, due: Sequence[float], begin: float) -> None:
        super().__init__(daemon=True)
        self._connection = Connection(port, token)
        self._style, self._books, self._due, self._begin = style, books, due, begin
        self.latencies: list[float] = []
        self.not_2xx = 0

    def run(self) -> None:
        if self._due:
            self._connection.open()
        for due in self._due:
            time.sleep(max(0.0, self._begin + due - time.monotonic()))
            if not self._order():
                self.not_2xx += 1
            self.latencies.append((time.monotonic() - self._begin - due) * 1000)
        self._connection.close()

    def _order(self) -> bool:
        """Orders one copy of a random book. Returns True if the status was 2xx."""
        book_id = f"made-up-{random.randint(1, self._books):07}"
        order = {"book_id": book_id, "quantity": 1, "payment_method": "credit_card", "saga": self._style}
        return self._connection.post("/orders", order).is_2xx


def measure_open_loop(
    server: Server, token: str, style: str, books: int, clients: int, rate: float, seconds: float
) -> Window:
    """Measures one window in which the clients together send `rate` orders per second."""
    begin = time.monotonic() + HEAD_START
    due = schedule(rate, seconds, clients, random.Random())
    running = [Client(server.port, token, style, books, moments, begin) for moments in due]
    for client in running:
        client.start()
    for client in running:
        client.join()
    taken = max(seconds, time.monotonic() - begin)
    latencies = [one for client in running for one in client.latencies]
    not_2xx = sum(client.not_2xx for client in running)
    return Window((len(latencies) - not_2xx) / taken, latencies, not_2xx)
