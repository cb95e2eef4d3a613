"""The results as text."""

from collections.abc import Iterable, Sequence

from benchmarks.loads import FLOOR, MANY_BOOKS, Case, Cases

HEADINGS = (
    *("load", "subject", "orders/s", "p50 ms", "p95 ms", "p99 ms", "of floor", "of plain"),
    *("statements", "commits", "not 2xx", "worker MB"),
)


def table(cases: Cases) -> str:
    """Returns all cases: percentiles and errors over all rounds, and medians of the rounds."""
    return aligned([HEADINGS, *(row(cases, case) for case in cases.values())], left=2)


def row(cases: Cases, case: Case) -> tuple[str, ...]:
    is_floor = case.subject == FLOOR
    without_keys = cases[MANY_BOOKS, case.subject] if case.load.with_keys else None
    return (
        case.load.name,
        case.subject,
        f"{case.median(lambda it: it.window.orders_per_second):.1f}",
        *(f"{case.percentile(share):.1f}" for share in (0.50, 0.95, 0.99)),
        share(case, cases.get((MANY_BOOKS if case.load.with_keys else case.load.name, FLOOR))),
        share(case, without_keys),
        f"{case.median(lambda it: it.counts.per_order(it.counts.statements)):.1f}",
        f"{case.median(lambda it: it.counts.per_order(it.counts.commits)):.1f}",
        "-" if is_floor else str(case.not_2xx),
        "-" if is_floor else f"{case.median(lambda it: it.memory):.0f}",
    )


def share(case: Case, other: Case | None) -> str:
    return f"{case.share_of(other):.3f}" if other else "-"


def aligned(rows: Iterable[Sequence[str]], left: int) -> str:
    """Returns the rows as lines, with the first `left` columns aligned to the left and the others to the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    formats = [f"{'<' if at < left else '>'}{width}" for at, width in enumerate(widths)]
    return "\n".join("  ".join(map(format, cells, formats)).rstrip() for cells in rows)
