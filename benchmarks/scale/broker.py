"""Response times with RabbitMQ and without."""

from collections.abc import Iterator
from itertools import chain
from statistics import median

from benchmarks.loads import STYLES
from benchmarks.promises import Figure
from benchmarks.scale.shop import WARM_UP, Shop, shop, warm_up
from benchmarks.table import aligned
from benchmarks.window import Window, percentile

MAY_RISE = 50
"""Milliseconds by which the death of RabbitMQ may raise the p95."""


class Broker:
    """Response times with RabbitMQ and without, in turn: half of the orders are waited for, half are respond-async."""

    def __init__(self, rate: float, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds
        self.windows: dict[tuple[str, str], list[Window]] = {}

    def run(self, rounds: int) -> None:
        with shop(2, 2, 2) as running:
            warm_up(running)
            for number in range(rounds):
                for is_up in (True, False) if number % 2 == 0 else (False, True):
                    self.measure(running, is_up)

    def measure(self, running: Shop, is_up: bool) -> None:
        if is_up:
            self.both_styles(running, "up")
            return
        with running.topology.without("rabbitmq"):
            self.both_styles(running, "down")

    def both_styles(self, running: Shop, broker: str) -> None:
        for style in STYLES:
            running.order_at_rate(style, self.rate, WARM_UP)  # not measured: the circuit breaker opens, or closes
            self.add(broker, style, running.order_at_rate(style, self.rate, self.seconds))
            running.watch.counts_when_finished(120)

    def add(self, broker: str, style: str, window: Window) -> None:
        self.windows.setdefault((broker, style), []).append(window)

    def table(self) -> str:
        headings = ("RabbitMQ", "style", "orders", "p50 ms", "p95 ms", "p99 ms", "not 2xx")
        return aligned([headings, *(line(*key, windows) for key, windows in self.windows.items())], left=2)

    def promises(self) -> Iterator[Figure]:
        """Returns what must be kept: without RabbitMQ the p95 rises by less than 50 ms, and no order has an error."""
        for style in STYLES:
            rise = self.rise_of_p95(style)
            yield Figure(f"p95 rises without RabbitMQ, {style}", f"{rise:.0f} ms", f"< {MAY_RISE} ms", rise < MAY_RISE)
            errors = not_2xx(self.windows["down", style])
            yield Figure(f"not 2xx without RabbitMQ, {style}", str(errors), "0", errors == 0)

    def rise_of_p95(self, style: str) -> float:
        """Returns the median of the rounds: what else the machine does disturbs some of them, in either direction."""
        up, down = (
            [percentile(sorted(window.latencies), 0.95) for window in self.windows[broker, style]]
            for broker in ("up", "down")
        )
        return median(without - with_it for with_it, without in zip(up, down, strict=True))


def line(broker: str, style: str, windows: list[Window]) -> tuple[str, ...]:
    latencies = latencies_of(windows)
    times = (f"{percentile(latencies, share):.0f}" for share in (0.5, 0.95, 0.99))
    return broker, style, str(len(latencies)), *times, str(not_2xx(windows))


def latencies_of(windows: list[Window]) -> list[float]:
    return sorted(chain.from_iterable(window.latencies for window in windows))


def not_2xx(windows: list[Window]) -> int:
    return sum(window.not_2xx for window in windows)
