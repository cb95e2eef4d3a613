"""Stale reads from a real replica, whose replication works, stops, and ends."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import connection, connections

from cloudmart.database.replica import REPLICA, STATE, reads_stale, reason_against, stale_reads
from cloudmart.database.transactions import durable
from orders.models import TaxRate
from tests.processes import wait_until
from tests.replicas import reading_from, replica_alias
from tests.replication import PATH, replicated

pytestmark = [
    pytest.mark.skipif(not shutil.which("mariadbd", path=PATH), reason="the replica is a MariaDB"),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite does not replicate"),
    pytest.mark.django_db(transaction=True, databases=["default", REPLICA]),
]


SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def alias():
    with replica_alias():
        yield


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with replicated(tmp_path_factory.mktemp("replicated")) as servers:
        yield servers


@pytest.fixture
def shop(transactional_db, servers, settings):
    """The primary is the default database, with one table; stale reads use its replica. Returns both servers."""
    primary, replica = servers
    original = connection.settings_dict
    where = {"NAME": "shop", "USER": "shop", "PASSWORD": "", "PORT": primary.port}
    connection.close()
    connection.settings_dict = {**original, **where}
    with connection.schema_editor() as editor:
        editor.create_model(TaxRate)
    with reading_from(settings, PORT=replica.port):
        yield primary, replica
    with connection.schema_editor() as editor:
        editor.delete_model(TaxRate)
    connection.close()
    connection.settings_dict = original


@durable
def write(percent):
    TaxRate.objects.update_or_create(region="JP", valid_from=SINCE, rounding="down", defaults={"percent": percent})


@reads_stale
def read():
    return [int(percent) for percent in TaxRate.objects.values_list("percent", flat=True)]


def test_stale_reads_see_what_has_been_replicated(shop):
    write(8)
    wait_until(lambda: read() == [8])
    with stale_reads():
        assert TaxRate.objects.all().db == REPLICA


@contextmanager
def showing_its_lag(replica):
    """Connections that begin within the block may read the lag."""
    replica.execute("GRANT SLAVE MONITOR ON *.* TO 'shop'@'127.0.0.1'")
    try:
        yield
    finally:
        replica.execute("REVOKE SLAVE MONITOR ON *.* FROM 'shop'@'127.0.0.1'")


@contextmanager
def without_replication(replica):
    replica.execute("STOP REPLICA")
    STATE.reset()
    try:
        yield
    finally:
        replica.execute("START REPLICA")


def test_a_replica_whose_replication_has_stopped_is_not_read(shop):
    _, replica = shop
    with showing_its_lag(replica):
        write(8)
        wait_until(lambda: read() == [8])
        with without_replication(replica):
            write(10)
            assert read() == [10]
            assert reason_against(connections[REPLICA]) == "its replication has stopped"


def test_without_the_privilege_a_replica_is_read_whatever_its_lag(shop):
    _, replica = shop
    write(8)
    wait_until(lambda: read() == [8])
    with without_replication(replica):
        write(10)
        assert read() == [8] and reason_against(connections[REPLICA]) == ""


def test_a_write_never_reaches_the_replica(shop):
    _, replica = shop
    write(8)
    wait_until(lambda: read() == [8])
    with stale_reads():
        rate = TaxRate.objects.get()
    rate.percent = 10
    rate.save()
    wait_until(lambda: read() == [10])
    assert replica.execute("SELECT @@read_only") == ((1,),)


def test_a_dead_replica_is_not_missed(shop):
    _, replica = shop
    write(8)
    wait_until(lambda: read() == [8])
    replica.kill()
    assert read() == [8]
    with stale_reads():
        assert TaxRate.objects.all().db == "default"
