"""Moves the sandbox's parcels by itself, if its options say so, and sends its webhooks until they are accepted."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread

import httpcore
from standardwebhooks.webhooks import Webhook

from cloudmart.providers.http_client import HttpClient
from cloudmart.sandbox.ledger import Ledger
from cloudmart.sandbox.parcels import DELIVERED, SHIPPED, Parcels, StoredWebhook

logger = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds between looks for work."""
LONGEST_BACKOFF = 60
TRIES = 25
"""Attempts at a webhook: about twenty minutes. After that, the shop has to ask."""

Send = Callable[[str, dict[str, str], bytes], int]
"""Posts a body with these headers to a URL, and returns the status of the response."""


@dataclass(frozen=True, slots=True)
class Reports:
    """When parcels move by themselves, in seconds (None: never), and where webhooks are sent to ("": nowhere)."""

    ship_after: float | None = None
    deliver_after: float | None = None
    url: str = ""
    secret: str = ""


class Courier:
    def __init__(self, ledger: Ledger, reports: Reports, send: Send | None = None) -> None:
        self._ledger, self._reports, self._send = ledger, reports, send or posting()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, if it was started. A webhook that takes longer than two seconds to send stays stored."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def step(self) -> None:
        """Moves the parcels that are due, and sends each due webhook once."""
        for status, delay in ((SHIPPED, self._reports.ship_after), (DELIVERED, self._reports.deliver_after)):
            if delay is not None:
                self._move(status, delay)
        with self._ledger.transaction("carrier") as page:
            due = Parcels(page.file).due_webhooks()
        for webhook in due:
            self._deliver(webhook)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self.step()
            except Exception:
                logger.exception("the courier failed")

    def _move(self, status: str, delay: float) -> None:
        with self._ledger.transaction("carrier") as page:
            parcels = Parcels(page.file)
            for parcel in parcels.due(status, delay):
                parcels.move(parcel, status)

    def _deliver(self, webhook: StoredWebhook) -> None:
        is_done = not self._reports.url or self._is_accepted(webhook) or webhook.tries + 1 >= TRIES
        with self._ledger.transaction("carrier") as page:
            if is_done:
                Parcels(page.file).forget(webhook)
            else:
                Parcels(page.file).postpone(webhook, min(2**webhook.tries, LONGEST_BACKOFF))

    def _is_accepted(self, webhook: StoredWebhook) -> bool:
        try:
            status = self._send(self._reports.url, self._signed(webhook), webhook.body.encode())
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            logger.warning("webhook %s: %s", webhook.id, error)
            return False
        if not 200 <= status < 300:
            logger.warning("webhook %s: HTTP %s", webhook.id, status)
        return 200 <= status < 300

    def _signed(self, webhook: StoredWebhook) -> dict[str, str]:
        """Returns the headers of an attempt, which is signed with its own time."""
        now = datetime.fromtimestamp(int(time.time()), UTC)
        return {
            "Content-Type": "application/json",
            "webhook-id": webhook.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self._reports.secret).sign(webhook.id, now, webhook.body),
        }


def posting() -> Send:
    client = HttpClient(connect_timeout=2, read_timeout=10, deadline=20, max_response=64 * 1024)
    return lambda url, headers, body: client.request("POST", url, headers, body).status
