"""The measurement: both styles, without and with webhooks and streams, beside a worker on the same processors."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.closed_loop import measure_closed_loop
from benchmarks.connection import Connection
from benchmarks.loads import BOOKS, STYLES
from benchmarks.relay.backlog import Database
from benchmarks.relay.counts import Counts
from benchmarks.relay.figures import Relaying, Sample
from benchmarks.relay.outside import Outside, outside
from benchmarks.server import PLAIN, Server, audit, manage, serving, working
from benchmarks.window import Window

WARM_UP = 1
"""Seconds of load in each style before each pair of windows."""
SETTINGS = {**PLAIN, "EMAIL_URL": "dummymail://", "WEBHOOK_PRIVATE_ADDRESSES": "true"}
"""Mails are rendered, and go nowhere."""


class Endpoint:
    """The one endpoint, which receives all events while it is enabled."""

    def __init__(self, server: Server, url: str) -> None:
        self._server, self._token = server, manage("issue_token", "operator").strip()
        self._id = self._post("", {"url": url})["endpoint_id"]
        self._post(f"/{self._id}/disable")

    @contextmanager
    def enabled(self) -> Iterator[None]:
        self._post(f"/{self._id}/enable")
        yield
        self._post(f"/{self._id}/disable")

    def _post(self, path: str, body: dict[str, str] | None = None) -> dict[str, str]:
        connection = Connection(self._server.port, self._token)
        response = connection.post(f"/webhooks/endpoints{path}", body or {})
        connection.close()
        if not response.is_2xx:
            raise SystemExit(f"/webhooks/endpoints{path}: {response.status} {response.body}")
        return response.body


class Measuring:
    """Measures pairs of windows. Each window begins when nothing is waiting for the worker."""

    def __init__(self, url: str, token: str, clients: int, seconds: int) -> None:
        self.results, self.problems = Relaying(), list[str]()
        self._database, self._token, self._clients, self._seconds = Database(url), token, clients, seconds

    def run(self, server: str, rounds: int) -> None:
        """Runs all rounds. Every other round begins with webhooks and streams, so that drift affects both alike."""
        with outside() as receivers:
            streaming = {**SETTINGS, "EVENTS_URL": receivers.events_url}
            with serving(server, SETTINGS) as off, serving(server, streaming) as on:
                endpoint = Endpoint(off, receivers.endpoint)
                for number in range(rounds):
                    print(f"Webhooks and streams, round {number + 1} of {rounds}", file=sys.stderr)
                    for is_on in (False, True) if number % 2 == 0 else (True, False):
                        if is_on:
                            with endpoint.enabled():
                                self._measure(on, streaming, receivers)
                        else:
                            self._measure(off, SETTINGS, None)
                self.problems += audit(streaming)

    def _measure(self, server: Server, settings: dict[str, str], receivers: Outside | None) -> None:
        """Measures a window of each style. Checks that everything has arrived, and once only."""
        before = self._counts(receivers)
        with working(settings):
            for style in STYLES:
                self._order(server, style, WARM_UP)
            self._database.wait_until_empty()
            for style in STYLES:
                self.results.samples[style, receivers is not None].append(self._sample(server, style, receivers))
        counts = self._counts(receivers) - before
        self.problems += counts.problems() if receivers else []

    def _sample(self, server: Server, style: str, receivers: Outside | None) -> Sample:
        before, began = self._counts(receivers), time.monotonic()
        window = self._order(server, style, self._seconds)
        behind, ended = self._database.backlog(), time.monotonic()
        caught_up, mailed = self._database.wait_until_empty()
        counts = self._counts(receivers) - before
        return Sample(window, ended - began + caught_up, counts.delivered, counts.streamed, behind, caught_up, mailed)

    def _order(self, server: Server, style: str, seconds: int) -> Window:
        return measure_closed_loop(server, self._token, style, BOOKS, self._clients, seconds)

    def _counts(self, receivers: Outside | None) -> Counts:
        database = self._database
        return Counts(
            database.orders(),
            database.saga_events(),
            database.delivered(),
            receivers.webhooks() if receivers else 0,
            receivers.events() if receivers else 0,
        )
