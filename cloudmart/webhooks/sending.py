"""Sending what is due, to many endpoints at the same time. No transaction is open during a request.

One thread uses the database: it acquires endpoints, and stores how their batches have ended. Its pool of threads
makes the requests. An endpoint gets few of them, and those that fail or are slow get together at most half of the
pool, so that they delay no other.

A webhook is sent once, except that its worker may die, or lose the lease or the database, between the response and
the COMMIT that stores it; and that a receiver may close an idle connection just then, or because it has died after
it has stored the webhook. Then it is sent again, with the same webhook-id.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from structlog import get_logger

from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.outbox.cloud_events import CONTENT_TYPE
from cloudmart.providers.http_client import HttpClient
from cloudmart.webhooks.addresses import allowed_addresses_of, check_url
from cloudmart.webhooks.metrics import count_attempt
from cloudmart.webhooks.models import LONGEST_RESPONSE, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.queue import Attempted, Batch, Chain, acquire, due_endpoints, store
from cloudmart.webhooks.responses import Answer, retry_after_of
from cloudmart.webhooks.secrets import signature_headers, valid_secrets
from cloudmart.webhooks.waits import lease

logger = get_logger(__name__)

MOST_AT_ONCE = 4
"""Requests to one endpoint at the same time."""
LONGEST_BODY = 64 * 1024
"""Bytes of a response, with its headers."""
SLOW = 1000
"""Milliseconds of an average request to a slow endpoint."""
POLL = 0.1
"""Seconds between two looks for due endpoints while requests are being made."""


HEADERS = {"content-type": CONTENT_TYPE, "user-agent": "CloudMart"}


class Client:
    """Sends single webhooks. It is shared by all threads of the pool, and keeps connections open."""

    def __init__(self) -> None:
        self._http = HttpClient(
            connect_timeout=settings.WEBHOOK_TIMEOUT,
            read_timeout=settings.WEBHOOK_TIMEOUT,
            deadline=settings.WEBHOOK_TIMEOUT,
            max_response=LONGEST_BODY,
            resolve=allowed_addresses_of,
            may_repeat=True,
        )

    def send(self, endpoint: WebhookEndpoint, delivery: WebhookDelivery, now: datetime) -> Answer:
        """Returns how the request has ended. `now` is signed. Raises nothing."""
        began = monotonic()
        try:
            check_url(endpoint.url)
            secrets = valid_secrets(endpoint, now)
            headers = signature_headers(secrets, str(delivery.event_id), now, delivery.body)
            response = self._http.request("POST", endpoint.url, HEADERS | headers, delivery.body.encode())
            text = response.content[:LONGEST_RESPONSE].decode(errors="replace")
            retry_after = retry_after_of(response, now)
        except Exception as error:
            return Answer(now, _since(began), error=_described(error))
        return Answer(now, _since(began), response.status, text, retry_after=retry_after)

    def close(self) -> None:
        self._http.close()


def _since(began: float) -> int:
    """Returns the milliseconds since then."""
    return int((monotonic() - began) * 1000)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class Delivering:
    """The requests of one batch. Several threads take its chains; one chain is sent by one thread, in its order."""

    def __init__(self, batch: Batch, client: Client, should_stop: ShouldStop) -> None:
        self.endpoint, self.attempted, self.futures = batch.endpoint, list[Attempted](), list[Future[None]]()
        self._client, self._chains, self._should_stop = client, deque(batch.chains), should_stop
        self._began, self._has_failed = monotonic(), False

    def start(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self.futures = [pool.submit(self._send_chains) for _ in range(min(threads, len(self._chains)))]

    @property
    def is_done(self) -> bool:
        return all(future.done() for future in self.futures)

    @property
    def is_lost(self) -> bool:
        """Returns True once the lease has expired."""
        return monotonic() - self._began > lease().total_seconds()

    @property
    def is_slow(self) -> bool:
        times = [answer.milliseconds for _, answer in self.attempted]
        return bool(times) and sum(times) > SLOW * len(times)

    @property
    def accepted(self) -> int:
        return sum(answer.is_accepted for _, answer in self.attempted)

    def _send_chains(self) -> None:
        while self._chains:
            try:
                chain = self._chains.popleft()
            except IndexError:  # another thread has taken the last one
                return
            self._send_chain(chain)

    def _send_chain(self, chain: Chain) -> None:
        """Stops after the first delivery that is not accepted: the later ones of its subject wait for it."""
        for delivery in chain:
            if self._is_over():
                return
            now = self.endpoint.read_at + timedelta(seconds=monotonic() - self._began)
            answer = self._client.send(self.endpoint, delivery, now)
            self.attempted.append((delivery, answer))
            count_attempt(is_accepted=answer.is_accepted)
            if not answer.is_accepted:
                self._has_failed = self._has_failed or not answer.is_refusal
                return

    def _is_over(self) -> bool:
        """Returns True if no other request may begin: after a failure, and late enough for the lease to hold."""
        is_late = monotonic() - self._began > lease().total_seconds() / 3
        return self._has_failed or is_late or self._should_stop()


class Sender:
    """Sends the due deliveries of all endpoints. One thread uses it."""

    def __init__(self) -> None:
        self._running: list[Delivering] = []
        self._slow: set[UUID] = set()
        self._open = ExitStack()

    @cached_property
    def _client(self) -> Client:
        return self._open.enter_context(closing(Client()))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return self._open.enter_context(ThreadPoolExecutor(settings.WEBHOOK_SENDERS, thread_name_prefix="webhook"))

    def send_due(self, should_stop: ShouldStop = never) -> int:
        """Sends deliveries until none is due. Returns how many were accepted."""
        accepted = 0
        while True:
            if not should_stop():
                self._start_due(should_stop)
            if not self._running:
                return accepted
            unfinished = [future for each in self._running for future in each.futures if not future.done()]
            wait(unfinished, timeout=POLL, return_when=FIRST_COMPLETED)
            accepted += self._store_done()

    def close(self) -> None:
        """Ends the threads, and closes the connections."""
        self._open.close()

    def _start_due(self, should_stop: ShouldStop) -> None:
        """Starts what is due, with the threads that are free. Slow endpoints that have to wait hide no other one."""
        if self._free() == 0:
            return
        for endpoint in due_endpoints(settings.WEBHOOK_SENDERS + len(self._slow)):
            threads = self._threads_for(endpoint)
            if threads and (batch := acquire(endpoint)):
                delivering = Delivering(batch, self._client, should_stop)
                delivering.start(self._pool, threads)
                self._running.append(delivering)

    def _free(self) -> int:
        """Returns the number of threads that make no request."""
        return settings.WEBHOOK_SENDERS - self._busy(lambda delivering: True)

    def _busy(self, which: Callable[[Delivering], bool]) -> int:
        running = (each for each in self._running if which(each))
        return sum(not future.done() for each in running for future in each.futures)

    def _threads_for(self, endpoint: WebhookEndpoint) -> int:
        """Returns how many requests the endpoint may get at the same time; 0 if it has to wait."""
        free = self._free()
        if self._is_troubled(endpoint):
            busy = self._busy(lambda delivering: self._is_troubled(delivering.endpoint))
            free = min(free, max(1, settings.WEBHOOK_SENDERS // 2) - busy)
        return max(0, min(free, 1 if endpoint.failures else MOST_AT_ONCE))

    def _is_troubled(self, endpoint: WebhookEndpoint) -> bool:
        return endpoint.failures > 0 or endpoint.pk in self._slow

    def _store_done(self) -> int:
        """Stores the batches that have ended. Returns how many of their webhooks were accepted.

        If the database is unavailable, the next call tries again while the lease holds.
        """
        accepted = 0
        for delivering in [each for each in self._running if each.is_done]:
            try:
                self._store(delivering)
            except (DatabaseError, InterfaceError, DatabaseBusy):
                if delivering.is_lost:
                    self._running.remove(delivering)
                raise
            except Exception:
                self._running.remove(delivering)
                raise
            self._running.remove(delivering)
            accepted += delivering.accepted
        return accepted

    def _store(self, delivering: Delivering) -> None:
        endpoint, attempted = delivering.endpoint, delivering.attempted
        is_stored = store(endpoint, attempted)
        (self._slow.add if delivering.is_slow else self._slow.discard)(endpoint.pk)
        if attempted:
            failed = len(attempted) - delivering.accepted
            log = logger.warning if failed else logger.info
            log("webhooks sent", endpoint=str(endpoint.pk), accepted=delivering.accepted, failed=failed)
        if not is_stored:
            logger.info("lease lost", endpoint=str(endpoint.pk))
