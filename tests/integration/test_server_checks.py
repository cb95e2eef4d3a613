"""Deploy checks of the database server."""

import pytest
from django.core.checks import run_checks
from django.db import connection

from cloudmart.server_checks import (
    WORKER_CONNECTIONS,
    check_connections,
    check_single_writer,
    connections_allowed,
    connections_needed,
)
from tests.processes import running_command, wait_until

ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")

GALERA = {"wsrep_on": "ON", "wsrep_cluster_size": "3"}
GROUP = {"group_replication_group_name": "5c1f", "group_replication_single_primary_mode": "ON"}


@pytest.fixture
def server(monkeypatch):
    """Answers SHOW VARIABLES and SHOW STATUS as a server with these values does."""

    def server(**values):
        monkeypatch.setattr(connection, "vendor", "mysql")
        monkeypatch.setattr(connection, "cursor", lambda: Cursor(values))

    return server


class Cursor:
    def __init__(self, values):
        self._values, self._rows = values, []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def execute(self, sql, params=()):
        if sql.startswith("SELECT"):
            self._rows = [tuple(self._values[name] for name in ("max_connections", "max_user_connections"))]
        else:
            names = params[0] if "VARIABLES" in sql else params
            self._rows = [(name, self._values[name]) for name in names if name in self._values]

    def fetchall(self):
        return self._rows

    def fetchone(self):
        return next(iter(self._rows), None)


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, None),
        (GALERA, "a Galera cluster"),
        ({**GALERA, "wsrep_on": "OFF"}, None),
        ({**GALERA, "wsrep_cluster_size": "1"}, None),
        (GROUP, None),
        ({**GROUP, "group_replication_single_primary_mode": "OFF"}, "a Group Replication in multi-primary mode"),
        ({"group_replication_group_name": "", "group_replication_single_primary_mode": "OFF"}, None),
    ],
)
def test_a_cluster_of_writers_is_an_error_unless_one_writer_is_declared(server, settings, values, kind):
    server(**values)
    found = list(check_single_writer(databases=["default"]))
    assert [problem.id for problem in found] == ["cloudmart.E027"] * bool(kind)
    assert all(kind in problem.msg for problem in found)
    settings.DATABASE_SINGLE_WRITER = True
    assert list(check_single_writer(databases=["default"])) == []


@pytest.mark.any_database
def test_the_connections_of_all_processes_are_counted(settings):
    settings.WEB_SERVERS, settings.WEB_WORKERS, settings.WEB_THREADS = 3, 2, 4
    settings.WORKERS, settings.CELERY_WORKERS, settings.CELERY_CONCURRENCY = 2, 2, 5
    assert connections_needed() == 3 * 2 * (4 + 2) + 2 * 24 + 2 * 5 + 10


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("of_all", "of_user", "warns"), [(1000, 0, False), (151, 0, True), (1000, 20, True), (20, 1000, True)]
)
def test_more_connections_than_the_server_allows_are_a_warning(server, settings, of_all, of_user, warns):
    settings.WEB_SERVERS, settings.WEB_WORKERS, settings.WEB_THREADS = 10, 8, 2
    server(max_connections=of_all, max_user_connections=of_user)
    assert [problem.id for problem in check_connections(databases=["default"])] == ["cloudmart.W008"] * warns


@pytest.mark.parametrize("databases", [None, [], ["replica"]])
def test_nothing_is_asked_of_the_server_unless_the_database_is_checked(databases):
    assert list(check_single_writer(databases=databases)) == list(check_connections(databases=databases)) == []


@ON_A_SERVER
def test_one_server_passes(transactional_db, settings):
    settings.WEB_WORKERS = 2
    found = run_checks(tags=["database"], databases=["default"], include_deployment_checks=True)
    assert not [problem.id for problem in found if problem.id in {"cloudmart.E027", "cloudmart.W008"}]
    assert connections_needed() < connections_allowed()


@ON_A_SERVER
def test_a_worker_opens_as_many_connections_as_are_counted(transactional_db):
    before = connections()
    with running_command("run_worker", "--interval", "0.1"):
        wait_until(lambda: len(connections() - before) == WORKER_CONNECTIONS)


def connections():
    """Returns the ids of the connections to the tests' database."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW PROCESSLIST")
        return {row[0] for row in cursor.fetchall() if row[3] == connection.settings_dict["NAME"]}
