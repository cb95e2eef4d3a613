"""Waits for orders to finish, for all clients of a process of the web server: one thread, and one query at a time."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.util import Finalize
from threading import Condition, Thread
from uuid import UUID

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from cloudmart.database.transactions import drop_connection_after

logger = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds between two queries while a client waits."""

STOP_TIME = 1
"""Seconds for which a process that ends waits for a query in progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """A client that waits for an order."""

    order_id: UUID
    loop: asyncio.AbstractEventLoop
    is_answered: asyncio.Event


class Watcher:
    """`unfinished` returns those of some orders that are not finished. `limit` is the number of clients that may wait.

    Its thread starts with the first client, and asks nothing while no client waits.
    """

    def __init__(
        self, unfinished: Callable[[Collection[UUID]], set[UUID]], limit: int, interval: float = INTERVAL
    ) -> None:
        self._unfinished, self._limit, self._interval = unfinished, limit, interval
        self._changed = Condition()
        self._clients: set[Client] = set()
        self._thread: Thread | None = None
        self._is_failing = self._is_stopping = False

    @property
    def has_room(self) -> bool:
        """Returns False if no further client may wait."""
        return self.waiting < self._limit and not self._is_stopping

    @property
    def waiting(self) -> int:
        """The number of clients that wait."""
        return len(self._clients)

    async def wait(self, order_id: UUID, seconds: float) -> None:
        """Returns once the order is finished, at the latest after `seconds`."""
        client = Client(order_id, asyncio.get_running_loop(), asyncio.Event())
        with suppress(TimeoutError), self._waiting(client):
            async with asyncio.timeout(seconds):
                await client.is_answered.wait()

    def stop(self) -> None:
        """Answers every client, and ends the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join(STOP_TIME)

    @contextmanager
    def _waiting(self, client: Client) -> Iterator[None]:
        with self._changed:
            self._clients.add(client)
            self._changed.notify()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()
                # Unlike atexit, it also runs in the web server's processes, which multiprocessing has forked.
                Finalize(None, self.stop, exitpriority=0)
        try:
            yield
        finally:
            with self._changed:
                self._clients.discard(client)

    def _run(self) -> None:
        while clients := self._next_clients():
            unfinished = self._unfinished_of({client.order_id for client in clients})
            self._answer(client for client in clients if client.order_id not in unfinished)
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, self._interval)
        self._answer(iter(set(self._clients)))
        connections.close_all()

    def _next_clients(self) -> set[Client]:
        """Returns the clients, once there are any; none when the watcher stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._clients or self._is_stopping)
            return set() if self._is_stopping else set(self._clients)

    def _answer(self, clients: Iterator[Client]) -> None:
        for client in clients:
            with suppress(RuntimeError):  # its loop is closed
                client.loop.call_soon_threadsafe(client.is_answered.set)

    def _unfinished_of(self, orders: set[UUID]) -> set[UUID]:
        """Returns all of them if the database does not tell: the clients wait on. Logs the first of several errors."""
        try:
            close_old_connections()
            unfinished = self._unfinished(orders)
        except Exception as error:
            self._log(error)
            self._is_failing = True
            return orders
        self._is_failing = False
        return unfinished

    def _log(self, error: Exception) -> None:
        is_outage = isinstance(error, DatabaseError | InterfaceError)
        if not self._is_failing:
            logger.warning(
                "orders that clients wait for cannot be read: %s", error, exc_info=None if is_outage else error
            )
        if is_outage:
            drop_connection_after(error)
