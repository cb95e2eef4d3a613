"""A walk through all migrations, forward and back, on the empty database that DATABASE_URL names.

Run as `python -m tests.migration_walk`: it prints the schema and the number of rows of each stage as JSON.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import django
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.test.utils import setup_test_environment

APPS = ("sagas", "shipping", "payments", "inventory", "orders", "cloudmart")
"""In the order in which docs/operations.md reverts them."""

IRREVERSIBLE: dict[tuple[str, str], str] = {}
"""(app, migration): why it cannot be reverted. A walk goes back no further than to it."""

ORDER = {"book_id": "book-789", "quantity": 1, "payment_method": "credit_card"}


def our_migrations() -> Iterator[Migration]:
    for (app, _), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if app in APPS:
            yield migration


def earliest(app: str) -> str:
    """Returns the earliest migration of an app to which a database can go back."""
    names = [migration.name for migration in our_migrations() if migration.app_label == app]
    return max([names[0], *(name for owner, name in IRREVERSIBLE if owner == app)])


def walk() -> dict[str, Any]:
    """Goes to the earliest version, to the latest, back with data, and forward again."""
    stages: dict[str, Any] = {}

    def note(stage: str) -> None:
        stages[stage] = {"schema": schema(), "columns": columns(), "rows": rows()}

    migrate_each(earliest)
    note("early")
    call_command("migrate", verbosity=0)
    fill_the_shop()
    note("late")
    migrate_each(earliest)
    note("reverted")
    if connection.vendor == "mysql":
        stages["halfway"] = finish_a_migration_that_died_halfway()
    call_command("migrate", verbosity=0)
    note("applied again")
    stages["broken"] = broken_invariants()
    return stages


def migrate_each(target: Callable[[str], str]) -> None:
    for app in APPS:
        call_command("migrate", app, target(app), verbosity=0)


def finish_a_migration_that_died_halfway() -> str:
    """Takes the steps of docs/operations.md. Returns the error of `migrate` before them."""
    app, before, migration = "sagas", "0012", "0013"
    call_command("migrate", app, before, verbosity=0)
    printed = StringIO()
    call_command("sqlmigrate", app, migration, stdout=printed)
    statements = [line for line in printed.getvalue().splitlines() if line and not line.startswith("--")]
    execute(statements[:3])
    try:
        call_command("migrate", app, migration, verbosity=0)
    except OperationalError as error:
        execute(statements[3:])
        call_command("migrate", app, migration, fake=True, verbosity=0)
        return str(error)
    return ""


def execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def tables() -> list[str]:
    """Returns the names of our tables."""
    names = connection.introspection.table_names()
    return [name for name in names if not name.startswith(("django_", "auth_", "axes_", "knox_"))]


def rows() -> dict[str, int]:
    return {table: fetch(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables()}  # noqa: S608


def columns() -> dict[str, list[tuple[Any, ...]]]:
    """Returns each table's columns: name, type, size, and whether it may be null."""
    describe = connection.introspection.get_table_description
    with connection.cursor() as cursor:
        return {
            table: sorted((c.name, c.type_code, c.internal_size, c.null_ok) for c in describe(cursor, table))
            for table in tables()
        }


def schema() -> dict[str, list[str]]:
    """Returns the parts of the statements that create each of our tables with its indexes and triggers.

    The parts are sorted: a column that was dropped and added again is the last one of its table.
    """
    parts: dict[str, list[str]] = {table: [] for table in tables()}
    for table, statement in statements():
        if table in parts:
            parts[table] += re.split(r"[,()\n]\s*", re.sub(r" AUTO_INCREMENT=\d+", "", statement))
    return {table: sorted(parts[table]) for table in parts}


def statements() -> Iterator[tuple[str, str]]:
    """Yields each table with a statement that creates it, or a part of it."""
    if connection.vendor == "sqlite":
        yield from fetch("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return
    for table in tables():
        yield table, fetch(f"SHOW CREATE TABLE {table}")[0][1]
    yield from fetch(
        "SELECT event_object_table, CONCAT_WS(' ', trigger_name, action_timing, event_manipulation, action_statement) "
        "FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    )


def fetch(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def fill_the_shop() -> None:
    """Places orders that complete, fail, are cancelled, are delivered or stay drafts, in both styles."""
    from django.contrib.auth import get_user_model
    from rest_framework.test import APIClient

    from sagas.operations.parcels import mark_as_delivered, mark_as_shipped

    def client(username: str) -> APIClient:
        api = APIClient()
        api.force_authenticate(get_user_model().objects.get(username=username))
        return api

    def post(api: APIClient, path: str, body: Any = None, **headers: str) -> Any:
        response = api.post(path, body, format="json", headers=headers)
        assert response.status_code < 500, response.content
        return response

    call_command("seed", demo_users=True, stdout=StringIO())
    customer, operator = client("tanaka"), client("operator")
    for style in ("orchestration", "choreography"):
        order = {**ORDER, "saga": style}
        delivered = UUID(post(customer, "/orders", order, **{"Idempotency-Key": style}).json()["order_id"])
        mark_as_shipped(delivered)
        mark_as_delivered(delivered)
        post(customer, "/orders", {**order, "payment_token": "tok_insufficient_funds"})
        post(customer, "/orders", {**order, "shipping_address": "999-9999"})
        cancelled = post(customer, "/orders", {**order, "coupon": "WELCOME10"}).json()["order_id"]
        post(customer, f"/orders/{cancelled}/cancel", {"reason": "Changed my mind."})
        draft = post(customer, "/orders", {"saga": style})["Location"]
        post(customer, f"{draft}/items", {"book_id": "book-123", "quantity": 1})
        post(operator, "/orders", {**order, "customer_name": "山田太郎", "shipping_address": "150-0001 東京都"})


def broken_invariants() -> list[str]:
    from sagas.operations.audit.audit import audit

    return [finding.name for finding in audit(limit=5) if not finding.holds]


if __name__ == "__main__":
    django.setup()
    setup_test_environment()
    json.dump(walk(), sys.stdout)
