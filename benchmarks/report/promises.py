"""What is promised of the shop under this load, beside what was measured. One that is missed fails the report."""

from collections.abc import Iterator

from benchmarks.promises import Figure
from benchmarks.report.figures import StyleFigures

P99 = 500
"""Milliseconds of the response to an order or a cancellation."""
COMPLETED_PER_MINUTE = 100
ERRORS = 0.01
"""The share of the requests."""


def promises(style: StyleFigures) -> Iterator[Figure]:
    """Returns the figures that must be kept. Without orders none is."""
    name, errors, rollback = style.style, style.errors, style.rollback
    p99 = style.latency.p99
    yield Figure(f"p99 of all responses, {name}", f"{p99:.0f} ms", f"< {P99} ms", p99 < P99)
    completed = style.completed_per_minute
    yield Figure(
        f"completed orders a minute, {name}",
        f"{completed:.0f}",
        f">= {COMPLETED_PER_MINUTE}",
        completed >= COMPLETED_PER_MINUTE,
    )
    yield Figure(
        f"errors, {name}",
        f"{errors.share:.2%} ({errors.number} of {errors.requests:,} requests)",
        f"< {ERRORS:.0%}",
        errors.share < ERRORS,
    )
    yield Figure(
        f"failed orders completely undone, {name}",
        f"{rollback.share:.2%} ({rollback.undone} of {rollback.failed})",
        "100%",
        0 < rollback.failed == rollback.undone,
    )
