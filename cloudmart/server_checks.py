"""Deploy checks of the database server, for `check --deploy --database default`: one writer, enough connections."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections

WORKER_CONNECTIONS = 24
"""Of one `run_worker` with its four threads for sagas; each thread more needs one more."""
PROBE_CONNECTIONS = 1
"""Of each process of the web server, for `/readyz`."""
WATCHER_CONNECTIONS = 1
"""Of each process of the web server, for the clients that wait for orders."""
OTHER_CONNECTIONS = 10
"""For migrations, commands and people."""


@register(Tags.database, deploy=True)
def check_single_writer(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterator[CheckMessage]:
    """A row that a saga has locked on one node is free on every other one."""
    if not settings.DATABASE_SINGLE_WRITER and (cluster := cluster_of_writers(databases or ())):
        yield Error(
            f"The database is {cluster}: row locks do not hold across its nodes.",
            hint="Have DATABASE_URL lead to one node at a time, and set DATABASE_SINGLE_WRITER=true: docs/scaling.md.",
            id="cloudmart.E027",
        )


def cluster_of_writers(databases: Sequence[str]) -> str:
    """Returns the kind of cluster, if the default database is one whose nodes all write; otherwise ""."""
    if not is_mysql(databases):
        return ""
    variables = server_variables("wsrep_on", "group_replication_group_name", "group_replication_single_primary_mode")
    if variables.get("wsrep_on") == "ON" and int(server_status("wsrep_cluster_size") or 0) > 1:
        return "a Galera cluster"
    if variables.get("group_replication_group_name") and variables["group_replication_single_primary_mode"] == "OFF":
        return "a Group Replication in multi-primary mode"
    return ""


@register(Tags.database, deploy=True)
def check_connections(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterator[CheckMessage]:
    if is_mysql(databases or ()) and (needed := connections_needed()) > (most := connections_allowed()):
        yield Warning(
            f"All processes together may open {needed} connections; the database allows {most}.",
            hint="Raise its max_connections, or run fewer threads. See docs/scaling.md.",
            id="cloudmart.W008",
        )


def connections_needed() -> int:
    """Returns how many connections all processes of the shop may have at the same time."""
    of_process = settings.WEB_THREADS + PROBE_CONNECTIONS + WATCHER_CONNECTIONS
    web = settings.WEB_SERVERS * settings.WEB_WORKERS * of_process
    workers = settings.WORKERS * WORKER_CONNECTIONS
    return web + workers + settings.CELERY_WORKERS * settings.CELERY_CONCURRENCY + OTHER_CONNECTIONS


def connections_allowed() -> int:
    """Returns how many connections the server allows our user."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT @@max_connections, @@max_user_connections")
        of_all, of_user = map(int, cursor.fetchone())
    return min(of_all, of_user or of_all)


def is_mysql(databases: Sequence[str]) -> bool:
    """Returns True if the default database is among these, and MySQL or MariaDB."""
    return DEFAULT_DB_ALIAS in databases and connections[DEFAULT_DB_ALIAS].vendor == "mysql"


def server_variables(*names: str) -> dict[str, str]:
    """Returns those of these variables that the server has."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN %s", [names])
        return dict(cursor.fetchall())


def server_status(name: str) -> str | None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE %s", [name])
        row = cursor.fetchone()
    return row and str(row[1])
