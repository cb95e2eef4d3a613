"""The database's clock decides. Few modules read the application's clock, and none decides by it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")

MAY_READ_APPLICATION_CLOCK = {
    "cloudmart/api/authentication.py": "a token's expiry, which knox writes by the same clock",
    "cloudmart/api/counting.py": "the period of a limit, in one process",
    "cloudmart/providers/calling.py": "how long a provider call took",
    "cloudmart/sandbox/courier.py": "when the sandbox signs a webhook",
    "cloudmart/sandbox/ledger.py": "the ledger of the sandbox, which is a separate database",
    "cloudmart/sandbox/parcels.py": "so is this",
    "cloudmart/sandbox/wallets.py": "the ledger of the sandbox, which is a separate database",
    "cloudmart/webhooks/admin.py": "the shop's time zone, for display",
    "payments/gateways/mock.py": "the day of a wallet's limit, at a provider that is a mock",
    "sagas/admin/order_list.py": "how orders stand now, for display",
    "sagas/admin/order_page/outcome.py": "the shop's time zone, for display",
    "sagas/management/saga/listing.py": "ages of sagas, for display",
    "sagas/operations/timeline/reading.py": "the axis of an order without events, for display",
    "sagas/models.py": "when an event was received and an operator acted, for display",
    "sagas/choreography/reactions.py": "how long a reaction took",
    "sagas/orchestration/step_log.py": "how long a step took",
    "sagas/orchestration/execution.py": "how long a step took",
}

CLOCKS = {
    *(f"{owner}.{name}" for owner in ("datetime", "datetime.datetime") for name in ("now", "utcnow", "today")),
    *("timezone.now", "timezone.localtime", "timezone.localdate", "date.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "Now"),
}
HIDDEN_CLOCKS = {"django.utils.timezone": {"now", "localtime", "localdate"}, "time": {"time", "time_ns"}}
"""Clocks that may be imported by name."""


def clocks_in(module: ast.Module) -> Iterator[str]:
    """Yields the places where a module, or Django on its behalf, reads the application's clock."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in CLOCKS:
            yield f"{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom):
            hidden = HIDDEN_CLOCKS.get(node.module or "", set())
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in hidden)
        if isinstance(node, ast.Call) and not ast.unparse(node.func).endswith("DatabaseTimeField"):
            names = {keyword.arg for keyword in node.keywords}
            yield from (f"{node.lineno}: {name}" for name in names & {"auto_now", "auto_now_add"})


def test_only_the_listed_modules_read_the_applications_clock():
    sources = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    found = {
        str(path.relative_to(ROOT)): clocks
        for path in sources
        if "migrations" not in path.parts and (clocks := list(clocks_in(ast.parse(path.read_text()))))
    }
    found.pop("cloudmart/database/clock.py")
    assert found.keys() == MAY_READ_APPLICATION_CLOCK.keys(), found


def test_every_way_to_read_a_clock_is_found():
    for line in (
        "timezone.now()",
        "datetime.now(UTC)",
        "field(default=timezone.now)",
        "from time import time",
        "time.time()",
        "models.DateTimeField(auto_now=True)",
    ):
        assert list(clocks_in(ast.parse(line))), line
    for line in ("DatabaseNow()", "DatabaseTimeField(auto_now=True)", "from time import monotonic", "now()"):
        assert not list(clocks_in(ast.parse(line))), line
