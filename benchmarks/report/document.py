"""The report as JSON and as Markdown."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from benchmarks.promises import Figure, rows
from benchmarks.report.figures import Latency, StyleFigures
from benchmarks.report.promises import promises

LATENCIES = ("p50", "p90", "p95", "p99", "max")


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked of the server, and where."""

    users: int
    orders_per_minute: float
    seconds: float
    """Of each style."""
    machine: str
    measured_at: str


@dataclass(frozen=True, slots=True)
class Report:
    load: Load
    styles: list[StyleFigures]
    problems: list[str]
    """What the audit found, and orders that only a provider knows."""

    @property
    def promises(self) -> list[Figure]:
        return [figure for style in self.styles for figure in promises(style)]

    @property
    def is_kept(self) -> bool:
        return not self.problems and all(figure.is_kept for figure in self.promises)


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Writes report.json and report.md. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "report.json", folder / "report.md"
    for path, text in zip(paths, (as_json(report), as_markdown(report)), strict=True):
        path.write_text(text)
    return paths


def as_json(report: Report) -> str:
    """Returns the report with its promises, as JSON. What was never measured is null."""
    styles = [{**asdict(style), **shares_of(style)} for style in report.styles]
    content = {**asdict(report), "styles": styles, "promises": [asdict(figure) for figure in report.promises]}
    return json.dumps(finite(content), ensure_ascii=False, indent=1) + "\n"


def shares_of(style: StyleFigures) -> dict[str, float]:
    return {
        "completed_per_minute": round(style.completed_per_minute, 1),
        "error_rate": style.errors.share,
        "rollback_success": style.rollback.share,
    }


def finite(value: Any) -> Any:
    """Returns the value with None for infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if value == inf else value


def as_markdown(report: Report) -> str:
    load = report.load
    parts = [
        "# The promised figures, under failures",
        f"{load.users} users place {load.orders_per_minute:,.0f} orders a minute for {load.seconds:.0f} seconds in "
        f"each style. {load.machine}. {load.measured_at}.",
        table(*rows("promise", report.promises, "kept", "**MISSED**")),
        "\n".join(f"- {problem}" for problem in report.problems)
        or "The audit is clean, at the providers too: `manage.py audit`.",
    ]
    for style in report.styles:
        parts += style_parts(style)
    return "\n\n".join(parts) + "\n"


def style_parts(style: StyleFigures) -> Iterator[str]:
    yield f"## {style.style.capitalize()}"
    yield (
        f"{style.orders:,} orders in {style.seconds:.0f} seconds, of which {style.completed:,} completed: "
        f"{style.completed_per_minute:,.0f} a minute."
    )
    yield story_table(style)
    yield phase_table(style)
    yield compensation_table(style)
    if examples := [*style.errors.examples, *style.rollback.examples]:
        yield "\n".join(f"- {each}" for each in examples)


def story_table(style: StyleFigures) -> str:
    return table(
        ("story", "orders", "responses", *(f"{name} ms" for name in LATENCIES)),
        ("all responses", str(style.errors.requests), "", *cells(style.latency)),
        *((it.name, str(len(it.milliseconds)), listed(it.responses), *cells(it.latency)) for it in style.stories),
    )


def phase_table(style: StyleFigures) -> str:
    lines = ((it.name, "the provider's" if it.is_provider else "ours", f"{it.mean:.1f}") for it in style.phases)
    return table(("an undisturbed order", "", "mean ms"), *lines)


def compensation_table(style: StyleFigures) -> str:
    lines = []
    for each in style.compensations:
        median, *_, longest = cells(Latency.of(each.milliseconds))
        lines.append((each.story, str(len(each.milliseconds)), median, longest, f"{each.provider_mean:.1f}"))
    return table(("undone after", "orders", "p50 ms", "max ms", "the providers' mean ms"), *lines)


def cells(latency: Latency) -> tuple[str, ...]:
    return tuple(f"{value:.0f}" for value in (getattr(latency, name) for name in LATENCIES))


def listed(responses: dict[str, int]) -> str:
    return ", ".join(f"{number} × {response}" for response, number in responses.items())


def table(headings: Sequence[str], *lines: Sequence[str]) -> str:
    ruled = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
