"""The results as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.loads import Case, Cases
from benchmarks.promises import goals, promises
from benchmarks.relay.figures import Relaying
from benchmarks.window import percentile


def write_json(path: Path, cases: Cases, relaying: Relaying, problems: list[str], machine: str) -> None:
    """Writes all cases, the promises and the goals; `problems` is what the audit and the counts have found."""
    content = {
        "machine": machine,
        "cases": [case_as_json(case) for case in cases.values()],
        "relay": relaying.as_json(),
        "promises": [asdict(figure) for figure in (*promises(cases), *relaying.promises())],
        "goals": [asdict(figure) for figure in goals(cases)],
        "problems": problems,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def case_as_json(case: Case) -> dict[str, Any]:
    """Returns the case with its percentiles 0 to 100, over all rounds."""
    latencies = sorted(one for sample in case.samples for one in sample.window.latencies)
    return {
        "load": case.load.name,
        "subject": case.subject,
        "orders": case.orders,
        "orders_per_second": round(case.median(lambda it: it.window.orders_per_second), 1),
        "not_2xx": case.not_2xx,
        "percentiles": [round(percentile(latencies, share / 100), 2) for share in range(101)] if latencies else [],
    }
