"""The options of each database engine, so that transactions behave the same on all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection

MYSQL = "cloudmart.database.mysql"

OPTIONS: dict[str, dict[str, Any]] = {
    MYSQL: {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "connect_timeout": 5,
        "read_timeout": 15,
        "write_timeout": 15,
        "init_command": (
            "SET SESSION innodb_lock_wait_timeout=5, lock_wait_timeout=5,"
            " sql_mode=CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"
            # MySQL only: a list of newest rows is read in the order of its index, not sorted after a skip scan.
            "/*!80013 , optimizer_switch='skip_scan=off' */"
        ),
    },
    "django.db.backends.sqlite3": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
    },
}

REPLICA_OPTIONS = {"connect_timeout": 1, "read_timeout": 5}
"""A read that takes longer is repeated on the primary."""


def database_from(url: dict[str, Any], max_age: int) -> dict[str, Any]:
    """Returns the entry of DATABASES for a parsed DATABASE_URL, with the options of its engine; for MySQL, our own.

    Options in the URL take precedence. A connection is kept open for `max_age` seconds.
    """
    engine = MYSQL if url["ENGINE"] == "django.db.backends.mysql" else url["ENGINE"]
    database = {
        **url,
        "ENGINE": engine,
        "OPTIONS": {**OPTIONS.get(engine, {}), **url.get("OPTIONS", {})},
        "CONN_MAX_AGE": max_age,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
    if engine == "django.db.backends.sqlite3":
        database["TEST"] = {"NAME": f"{url['NAME']}.test"}
    return database


def replica_from(url: dict[str, Any], max_age: int) -> dict[str, Any]:
    """Returns the entry of DATABASES for a parsed DATABASE_REPLICA_URL. Tests use the primary in its place."""
    options = {**REPLICA_OPTIONS, **url.get("OPTIONS", {})} if "mysql" in url["ENGINE"] else url.get("OPTIONS", {})
    return {**database_from({**url, "OPTIONS": options}, max_age), "TEST": {"MIRROR": DEFAULT_DB_ALIAS}}


@contextmanager
def unlimited_statement_time() -> Iterator[None]:
    """Removes the time limit of statements within the block. Use it outside of requests and transactions."""
    original = connection.settings_dict
    options = {name: value for name, value in original["OPTIONS"].items() if name != "read_timeout"}
    connection.close()
    connection.settings_dict = {**original, "OPTIONS": options}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = original
