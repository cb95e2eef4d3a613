"""A replica for tests: a second database with a copy of the tables, which nothing updates."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections

from cloudmart.database.replica import REPLICA, STATE

ROUTERS = ["cloudmart.database.replica.ReplicaRouter"]


@contextmanager
def frozen_replica(folder: Path, settings: Any) -> Iterator[None]:
    """Stale reads within the block see the rows that are committed now."""
    name = copy_to_file(folder) if connection.vendor == "sqlite" else copy_to_database()
    with reading_from(settings, NAME=name):
        yield
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@contextmanager
def replica_alias() -> Iterator[None]:
    """Django knows the name of the replica within the block. Its tests forbid a database that they do not know."""
    connections.settings[REPLICA] = {**connection.settings_dict, "TEST": {"MIRROR": DEFAULT_DB_ALIAS}}
    yield
    del connections.settings[REPLICA]


@contextmanager
def reading_from(settings: Any, **changes: Any) -> Iterator[None]:
    """Stale reads use the database that differs from the default one by these changes."""
    connections[REPLICA].settings_dict = {**connection.settings_dict, **changes}
    settings.DATABASE_ROUTERS = ROUTERS
    STATE.reset()
    try:
        yield
    finally:
        connections[REPLICA].close()
        del connections[REPLICA]
        STATE.reset()


def copy_to_file(folder: Path) -> str:
    name = str(folder / "replica.sqlite3")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [name])
    return name


def copy_to_database() -> str:
    source = connection.settings_dict["NAME"]
    name = f"{source}_replica"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"CREATE TABLE {name}.{table} LIKE {source}.{table}")
            columns = [each.name for each in connection.introspection.get_table_description(cursor, table)]
            stored = ", ".join(set(columns) - generated_columns(cursor, table))
            cursor.execute(f"INSERT INTO {name}.{table} ({stored}) SELECT {stored} FROM {source}.{table}")  # noqa: S608
    return name


def generated_columns(cursor: Any, table: str) -> set[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND generation_expression <> ''",
        [table],
    )
    return {name for (name,) in cursor.fetchall()}
