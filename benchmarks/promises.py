"""What is promised of the speed, and what is aimed at, beside what was measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.loads import (
    CHOREOGRAPHY,
    CROWD,
    CROWD_MINUTE,
    FLOOR,
    MANY_BOOKS,
    ONE_BOOK,
    ORCHESTRATION,
    STYLES,
    WITH_KEYS,
    Cases,
)

CROWD_P99 = 500
"""Milliseconds, for 50 clients in a closed loop. On a slow machine, twice the floor's p99 is enough."""
MINUTE_P99 = 100
"""Milliseconds, at 100 orders a minute."""
SHARES_OF_FLOOR = {
    (MANY_BOOKS, ORCHESTRATION): 0.50,
    (MANY_BOOKS, CHOREOGRAPHY): 0.42,
    (ONE_BOOK, ORCHESTRATION): 0.70,
    (ONE_BOOK, CHOREOGRAPHY): 0.50,
}
SHARE_WITH_KEYS = 0.9


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure beside its limit."""

    what: str
    measured: str
    limit: str
    is_kept: bool


def promises(cases: Cases) -> Iterator[Figure]:
    """Returns the figures that must be kept."""
    for style in STYLES:
        yield crowd_promise(cases, style)
    for style in STYLES:
        yield p99_promise(cases, CROWD_MINUTE, style, MINUTE_P99)
    for style in STYLES:
        yield error_promise(cases, style)


def crowd_promise(cases: Cases, style: str) -> Figure:
    twice_the_floor = 2 * cases[CROWD, FLOOR].percentile(0.99)
    if twice_the_floor > CROWD_P99:
        return p99_promise(cases, CROWD, style, twice_the_floor, " (twice the floor)")
    return p99_promise(cases, CROWD, style, CROWD_P99)


def p99_promise(cases: Cases, load: str, style: str, limit: float, reason: str = "") -> Figure:
    p99 = cases[load, style].percentile(0.99)
    return Figure(f"p99, {load}, {style}", f"{p99:.0f} ms", f"< {limit:.0f} ms{reason}", p99 < limit)


def error_promise(cases: Cases, style: str) -> Figure:
    mine = [case for case in cases.values() if case.subject == style]
    errors, orders = sum(case.not_2xx for case in mine), sum(case.orders for case in mine)
    return Figure(f"not 2xx, all loads, {style}", f"{errors} ({orders:,} orders)", "0", errors == 0)


def goals(cases: Cases) -> Iterator[Figure]:
    """Returns the figures that are aimed at."""
    for (load, style), goal in SHARES_OF_FLOOR.items():
        share = cases[load, style].share_of(cases[load, FLOOR])
        yield Figure(f"of the floor, {load}, {style}", f"{share:.3f}", f">= {goal:.2f}", share >= goal)
    for style in STYLES:
        share = cases[WITH_KEYS, style].share_of(cases[MANY_BOOKS, style])
        yield Figure(
            f"with keys, of without, {style}", f"{share:.3f}", f">= {SHARE_WITH_KEYS:.2f}", share >= SHARE_WITH_KEYS
        )


def rows(kind: str, figures: Iterable[Figure], kept: str, missed: str) -> list[tuple[str, ...]]:
    """Returns the figures as a table with a row of headings."""
    headings = (kind, "measured", "limit", "")
    return [headings, *((it.what, it.measured, it.limit, kept if it.is_kept else missed) for it in figures)]
