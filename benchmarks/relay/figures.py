"""What was measured, as a table and as promises."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.loads import STYLES
from benchmarks.promises import Figure
from benchmarks.relay.backlog import Backlog
from benchmarks.table import aligned
from benchmarks.window import Window, percentile

SHARE = 0.95
"""Of the orders a second without webhooks and streams."""
HEADINGS = (
    *("style", "webhooks, streams", "orders/s", "p50 ms", "p99 ms", "of without"),
    *("webhooks/s", "events/s", "behind by", "mails", "caught up s", "mailed s", "not 2xx"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A window, and what the worker had done when it had caught up."""

    window: Window
    seconds: float
    """From the begin of the window until the worker had caught up with webhooks and streams."""
    webhooks: int
    events: int
    behind: Backlog
    """At the end of the window."""
    caught_up: float
    """Seconds from the end of the window."""
    mailed: float
    """Seconds from the end of the window until all mails were sent too."""


@dataclass(slots=True)
class Relaying:
    """All samples of each style, without and with webhooks and streams. Every round adds one of each."""

    samples: dict[tuple[str, bool], list[Sample]] = field(
        default_factory=lambda: {(style, is_on): [] for style in STYLES for is_on in (False, True)}
    )

    def share(self, style: str) -> float:
        """Returns the throughput with webhooks and streams divided by that without: the median of the rounds."""
        pairs = zip(self.samples[style, True], self.samples[style, False], strict=True)
        return median(on.window.orders_per_second / off.window.orders_per_second for on, off in pairs)

    def promises(self) -> Iterator[Figure]:
        for style in STYLES:
            share = self.share(style)
            yield Figure(
                f"with webhooks and streams, of without, {style}", f"{share:.3f}", f">= {SHARE}", share >= SHARE
            )
        for style in STYLES:
            errors = sum(sample.window.not_2xx for is_on in (False, True) for sample in self.samples[style, is_on])
            yield Figure(f"not 2xx beside a worker, {style}", str(errors), "0", errors == 0)

    def table(self) -> str:
        return aligned([HEADINGS, *(self._row(style, is_on) for style, is_on in self.samples)], left=2)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "style": style,
                "webhooks_and_streams": is_on,
                "orders_per_second": [round(sample.window.orders_per_second, 1) for sample in samples],
                "webhooks": [sample.webhooks for sample in samples],
                "events": [sample.events for sample in samples],
                "webhooks_behind": [sample.behind.webhooks for sample in samples],
                "stream_behind": [sample.behind.stream for sample in samples],
                "mails_behind": [sample.behind.mails for sample in samples],
                "seconds_to_catch_up": [round(sample.caught_up, 1) for sample in samples],
                "seconds_to_send_mails": [round(sample.mailed, 1) for sample in samples],
            }
            for (style, is_on), samples in self.samples.items()
        ]

    def _row(self, style: str, is_on: bool) -> tuple[str, ...]:
        samples = self.samples[style, is_on]
        latencies = sorted(one for sample in samples for one in sample.window.latencies)

        def middle(value: Callable[[Sample], float]) -> float:
            return median(map(value, samples))

        relayed = (
            f"{self.share(style):.3f}",
            f"{middle(lambda it: it.webhooks / it.seconds):.0f}",
            f"{middle(lambda it: it.events / it.seconds):.0f}",
            f"{middle(lambda it: it.behind.webhooks):.0f} + {middle(lambda it: it.behind.stream):.0f}",
        )
        return (
            style,
            "on" if is_on else "off",
            f"{middle(lambda it: it.window.orders_per_second):.1f}",
            *(f"{percentile(latencies, share):.0f}" for share in (0.50, 0.99)),
            *(relayed if is_on else ("-",) * len(relayed)),
            f"{middle(lambda it: it.behind.mails):.0f}",
            f"{middle(lambda it: it.caught_up):.1f}" if is_on else "-",
            f"{middle(lambda it: it.mailed):.1f}",
            str(sum(sample.window.not_2xx for sample in samples)),
        )
