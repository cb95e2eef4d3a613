"""Empties the tables after a test that commits.

Django would empty every table, and make again what migrations have made, which takes longer than most tests do.
"""

# ruff: noqa: S608 - the tables are our own

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from inventory.models import StockEvent
from inventory.triggers import create_triggers, drop_triggers
from orders.price_rules import Discount, TaxRate

PRICE_RULES = (Discount, TaxRate)
"""Models whose first rows migrations have made, and tests may change."""
MADE_BY_MIGRATIONS = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
APPEND_ONLY = StockEvent._meta.db_table
"""Its triggers refuse to delete."""


def tables_to_empty() -> list[str]:
    """Returns all tables of models but those in which migrations have made rows."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(tables) - MADE_BY_MIGRATIONS - {model._meta.db_table for model in PRICE_RULES})


def price_rules() -> dict[str, Any]:
    """Returns all rows of the price rules, by table. There is no table if no test needs the database."""
    tables = {model._meta.db_table for model in PRICE_RULES} & set(connection.introspection.table_names())
    return {table: _rows_of(table) for table in tables}


def restore(rules: dict[str, Any]) -> None:
    """Makes the price rules these again, if a test has changed them."""
    for table, rows in rules.items():
        if _rows_of(table) != rows:
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table}")
                cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)


def _rows_of(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        return list(cursor.fetchall())


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
