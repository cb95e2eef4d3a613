"""Empties the tables after a test that commits.

Django would empty every table, and make again what migrations have made, which takes longer than most tests do.
"""

# ruff: noqa: S608 - the tables are our own

from collections.abc import Sequence

from django.db import connection, transaction

from inventory.models import StockEvent
from inventory.triggers import create_triggers, drop_triggers

MADE_BY_MIGRATIONS = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
APPEND_ONLY = StockEvent._meta.db_table
"""Its triggers refuse to delete."""


def tables_to_empty() -> list[str]:
    """Returns all tables of models but those in which migrations have made rows."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(tables) - MADE_BY_MIGRATIONS)


def empty(tables: Sequence[str]) -> None:
    """Deletes the rows of these tables."""
    filled = _with_rows(tables)
    if APPEND_ONLY in filled:
        filled.remove(APPEND_ONLY)
        _empty_append_only()
    if filled:
        with connection.constraint_checks_disabled():
            _delete_from(filled)


def _with_rows(tables: Sequence[str]) -> list[str]:
    has_rows = ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {has_rows}")
        return [table for table, has in zip(tables, cursor.fetchone(), strict=True) if has]


def _empty_append_only() -> None:
    with connection.schema_editor() as editor:
        drop_triggers(None, editor)
        editor.execute(f"DELETE FROM {APPEND_ONLY}")
        create_triggers(None, editor)


@transaction.atomic
def _delete_from(tables: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
