"""Reads from a replica. Here it is a copy that nothing updates, so that a result shows where it was read."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import Error, OperationalError, connection, connections, transaction
from prometheus_client import REGISTRY

from cloudmart.database import replica as replicas
from cloudmart.database.options import database_from, replica_from
from cloudmart.database.prepared import Select
from cloudmart.database.replica import MAX_LAG, REPLICA, STATE, reads_stale, reason_against, stale_reads
from inventory.models import Book, InventoryRecord
from inventory.projector import catch_up
from orders.models import Customer, Order, SagaStyle
from tests.conftest import signed_in
from tests.factories import BookFactory, CustomerFactory, UserFactory
from tests.integration.test_lost_commits import recover_everything
from tests.processes import ROOT, TIMEOUT, free_port, run_python
from tests.replicas import frozen_replica, reading_from, replica_alias

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", REPLICA])

ORDER = {"book_id": "book-1", "quantity": 1, "payment_method": "credit_card"}


@pytest.fixture(scope="module", autouse=True)
def alias():
    with replica_alias():
        yield


@pytest.fixture
def freeze(tmp_path, settings):
    """Makes a replica of what is committed now."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(frozen_replica(tmp_path, settings))


@pytest.fixture
def replica(customer, freeze):
    """A replica with one customer, whose name is older than that in the primary."""
    freeze()
    Customer.objects.update(name="new")
    CustomerFactory(id="customer-002", user=None)


def failures():
    return REGISTRY.get_sample_value("cloudmart_replica_failures_total")


# --- What goes where ------------------------------------------------------------------------------


def test_reads_within_the_block_see_the_replica_and_no_others(replica):
    assert Customer.objects.count() == 2
    with stale_reads():
        assert Customer.objects.count() == 1
        assert Customer.objects.get().name != "new"
    assert Customer.objects.count() == 2


def test_a_transaction_never_reads_the_replica(replica):
    with stale_reads():
        with transaction.atomic(durable=True):
            assert Customer.objects.count() == 2
        assert Customer.objects.count() == 1
    with transaction.atomic(), stale_reads():
        assert Customer.objects.count() == 2


def test_writes_and_locks_never_reach_the_replica(replica):
    with stale_reads():
        old = Customer.objects.get()
        old.name = "saved"
        old.save()
        CustomerFactory(id="customer-003", user=None)
        Customer.objects.filter(pk="customer-002").delete()
        assert Customer.objects.count() == 1
        with transaction.atomic():
            assert Customer.objects.select_for_update().get(pk=old.pk).name == "saved"
    assert set(Customer.objects.values_list("pk", "name")) >= {(old.pk, "saved")}
    assert not Customer.objects.filter(pk="customer-002").exists()
    assert Customer.objects.using(REPLICA).get().name not in {"new", "saved"}


def test_what_an_old_row_refers_to_is_read_from_the_primary_after_the_block(transactional_db, freeze):
    InventoryRecord.objects.create(book=BookFactory(id="book-1", title="old"))
    freeze()
    Book.objects.update(title="new")
    with stale_reads():
        record = InventoryRecord.objects.get()
        assert InventoryRecord.objects.get().book.title == "old"
    assert record.book.title == "new"
    record.book = Book.objects.get()


def test_prepared_statements_and_raw_sql_never_read_the_replica(replica):
    find = Select(lambda name: Customer.objects.filter(name=name))
    with stale_reads(), connection.cursor() as cursor:
        assert find(name="new")
        cursor.execute("SELECT COUNT(*) FROM customers")
        assert cursor.fetchone() == (2,)


@contextmanager
def no_statement_on_the_replica():
    def refuse(execute, sql, params, many, context):
        raise AssertionError(f"read from the replica: {sql}")

    with connections[REPLICA].execute_wrapper(refuse):
        yield


@pytest.mark.parametrize("style", SagaStyle)
def test_commands_and_single_objects_never_read_the_replica(api, desk, shelve, freeze, style):
    freeze()
    shelve("book-1", 10)
    with no_statement_on_the_replica():
        order = {**ORDER, "saga": style}
        placed, failed = (
            api.post("/orders", order),
            api.post("/orders", {**order, "payment_token": "tok_expired_card"}),
        )
        assert (placed.status_code, failed.status_code) == (201, 402)
        path = placed["Location"]
        draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"})["Location"]
        assert api.post(f"{draft}/items", {"book_id": "book-1", "quantity": 1}).status_code == 200
        for read in (path, f"{path}/events", "/books/book-1", "/inventory/book-1", f"{path}/notes"):
            assert desk.get(read).status_code == 200, read
        assert desk.get(f"/saga/{placed.json()['order_id']}/status").status_code == 200
        assert api.post(f"{path}/cancel").status_code == 200
        recover_everything()
        call_command("run_worker", "--once", verbosity=0)
        assert desk.get("/readyz").status_code == desk.get("/metrics").status_code == 200


LISTS = {
    "/orders": 1,
    "/saga": 1,
    "/books": 1,
    "/inventory": 1,
    "/inventory/book-1/events": 4,  # added, reserved, confirmed; the sale of the second order is not among them
    "/inventory/reports/movements": 1,
}


@pytest.fixture
def old_shop(api, desk, shelve, freeze):
    """A book and an order in the replica; a second of each in the primary alone."""
    shelve("book-1", 10)
    assert api.post("/orders", ORDER).status_code == 201
    catch_up()
    freeze()
    shelve("book-2", 10)
    assert api.post("/orders", ORDER).status_code == 201
    assert api.post("/orders", {**ORDER, "book_id": "book-2"}).status_code == 201
    catch_up()


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_read_from_the_replica(desk, old_shop, path):
    stale = desk.get(path).json()["results"]
    with fresh():
        now = desk.get(path).json()["results"]
    assert 0 < len(stale) < len(now)


@contextmanager
def fresh():
    """The replica is not used within the block."""
    STATE.fail("the test compares it")
    yield
    STATE.reset()


@pytest.mark.parametrize("path", ["/inventory/reports/reservations", "/inventory/reports/movements"])
@pytest.mark.parametrize("form", ["application/json", "text/csv"])
def test_reports_are_read_from_the_replica(desk, old_shop, path, form):
    stale = desk.get(path, headers={"Accept": form})
    with fresh():
        now = desk.get(path, headers={"Accept": form})
    assert stale.status_code == now.status_code == 200
    assert "book-2" not in stale.content.decode() and stale.content != now.content


@pytest.mark.parametrize("page", ["stockmovement/report", "reservation/report"])
def test_reports_of_the_admin_are_read_from_the_replica(site, old_shop, page):
    stale = b"".join(site.get(f"/admin/inventory/{page}/?format=csv"))
    with fresh():
        now = b"".join(site.get(f"/admin/inventory/{page}/?format=csv"))
    assert len(stale) and stale != now


def test_downloads_of_the_admin_are_read_from_the_replica(site, old_shop):
    stale = b"".join(site.get("/admin/orders/order/csv/")).splitlines()
    assert len(stale) == 1 + 1, "a header and the old order"
    assert Order.objects.count() == 3


def test_permissions_are_those_of_the_primary(api, desk, operator, old_shop):
    operator.is_staff = operator.is_superuser = False
    operator.save()
    assert desk.get("/inventory/reports/movements").status_code == 403


def test_a_list_is_empty_once_the_user_has_lost_the_permission_or_the_customer(api, shelve, freeze, customer):
    clerk, role = UserFactory(username="clerk", is_staff=True), Group.objects.create(name="clerks")
    role.permissions.add(Permission.objects.get(codename="view_order"))
    clerk.groups.add(role)
    shelve("book-1", 10)
    assert api.post("/orders", ORDER).status_code == 201
    freeze()
    assert [len(each.get("/orders").json()["results"]) for each in (signed_in(clerk), api)] == [1, 1]
    clerk.groups.clear()
    Customer.objects.update(user=None)
    assert [each.get("/orders").json()["results"] for each in (signed_in(clerk), api)] == [[], []]


# --- A replica that fails -------------------------------------------------------------------------


@pytest.fixture
def unreachable(customer, settings, tmp_path):
    """A replica at whose address no server listens."""
    where = {"PORT": free_port()} if connection.vendor == "mysql" else {"NAME": str(tmp_path / "missing" / "file")}
    with reading_from(settings, **where):
        yield


def test_without_the_replica_lists_are_read_from_the_primary(unreachable, desk, lines):
    before = failures()
    assert [desk.get("/orders").status_code for _ in range(3)] == [200] * 3
    assert failures() == before + 1, "it is not tried again at once"
    warnings = [line for line in lines() if line["level"] == "warning"]
    assert [line["logger"] for line in warnings] == ["cloudmart.database.replica"]


def test_a_replica_that_fails_during_a_read_is_replaced_by_the_primary(old_shop, desk):
    def break_down(execute, sql, params, many, context):
        if "orders" in sql:
            raise_as_a_lost_connection()
        return execute(sql, params, many, context)

    def raise_as_a_lost_connection():
        connections[REPLICA].errors_occurred = True
        raise OperationalError(2013, "Lost connection")

    before = failures()
    with connections[REPLICA].execute_wrapper(break_down):
        assert len(desk.get("/orders").json()["results"]) == 3
    assert failures() == before + 1
    assert len(desk.get("/orders").json()["results"]) == 3, "it is not used for a while"


def test_a_replica_without_the_newest_tables_is_replaced_by_the_primary(replica):
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("DROP TABLE order_notes")

    @reads_stale
    def notes():
        return Order.notes.rel.related_model.objects.count()

    assert notes() == 0


def test_what_the_replica_does_not_have_yet_is_looked_for_in_the_primary(desk, old_shop):
    assert [book["book_id"] for book in desk.get("/books").json()["results"]] == ["book-1"]
    assert [book["book_id"] for book in desk.get("/books?page_size=1&page=2").json()["results"]] == ["book-2"]
    assert desk.get("/books?page_size=1&page=3").status_code == 404
    assert desk.get("/inventory/book-3/events").status_code == 404


def test_an_error_of_the_primary_is_raised(replica):
    @reads_stale
    def fail():
        raise OperationalError(2013, "Lost connection")

    with pytest.raises(Error):
        fail()
    with stale_reads():
        assert Customer.objects.count() == 1, "the replica is still used"


def test_an_error_of_the_primary_is_no_failure_of_a_replica_that_failed_before(unreachable, desk):
    @reads_stale
    def fail():
        raise OperationalError(2013, "Lost connection")

    assert desk.get("/orders").status_code == 200
    before = failures()
    with pytest.raises(Error):
        fail()
    assert failures() == before


def test_the_replica_is_used_again_once_it_is_usable(replica, monkeypatch, lines):
    monkeypatch.setattr(replicas, "RETRY_INTERVAL", 0)
    reasons = ["its replication has stopped", ""]
    monkeypatch.setattr(replicas, "reason_against", lambda replica: reasons.pop(0))
    with stale_reads():
        assert [Customer.objects.count() for _ in range(3)] == [2, 1, 1]
    logged = [line for line in lines() if line["logger"] == "cloudmart.database.replica"]
    assert [line["level"] for line in logged] == ["warning", "info"]


def test_no_read_waits_for_the_thread_that_probes_the_replica(replica, monkeypatch):
    began, released = Event(), Event()

    def probe(replica):
        began.set()
        released.wait(TIMEOUT)
        return ""

    monkeypatch.setattr(replicas, "reason_against", probe)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(STATE.is_usable)
        assert began.wait(TIMEOUT)
        assert STATE.is_usable() and not first.done()
        released.set()
        assert first.result()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ([], ""),
        ([{"Seconds_Behind_Source": 0}], ""),
        ([{"Seconds_Behind_Master": MAX_LAG}], ""),
        ([{"Seconds_Behind_Source": MAX_LAG + 1}], "it lags by 61 seconds"),
        ([{"Seconds_Behind_Master": 1}, {"Seconds_Behind_Master": 100}], "it lags by 100 seconds"),
        ([{"Seconds_Behind_Source": None}], "its replication has stopped"),
        ([{"Channel_Name": "group_replication_recovery", "Seconds_Behind_Source": None}], ""),
    ],
)
def test_the_lag_of_a_replica_is_known_from_its_status(channels, reason):
    assert reason_against(Replica(channels)) == reason


def test_a_user_who_may_not_see_the_lag_reads_the_replica():
    denied = OperationalError(1227, "Access denied; you need (at least one of) the REPLICATION CLIENT privilege(s)")
    for error in (denied, OperationalError(1064, "You have an error in your SQL syntax")):
        replica = Replica([], error)
        assert reason_against(replica) == "" and not replica.errors_occurred
    with pytest.raises(OperationalError):
        reason_against(Replica([], OperationalError(2013, "Lost connection")))


class Replica:
    """Answers SHOW REPLICA STATUS."""

    vendor = "mysql"

    def __init__(self, channels, error=None):
        self._channels, self._error = channels, error

    @contextmanager
    def cursor(self):
        yield self

    def execute(self, sql):
        assert sql == "SHOW REPLICA STATUS"
        if self._error:
            self.errors_occurred = True
            raise self._error

    @property
    def description(self):
        return [(name,) for name in (self._channels or [{}])[0]]

    def fetchall(self):
        return [tuple(channel.values()) for channel in self._channels]


# --- The setting ----------------------------------------------------------------------------------


def test_without_the_setting_the_block_changes_nothing(customer, settings, django_assert_num_queries):
    assert settings.DATABASE_ROUTERS == []
    with stale_reads(), django_assert_num_queries(1):
        assert Customer.objects.count() == 1


@pytest.mark.any_database
def test_migrations_ignore_the_replica(tmp_path):
    files = {"DATABASE_URL": f"sqlite:///{tmp_path}/shop", "DATABASE_REPLICA_URL": f"sqlite:///{tmp_path}/replica"}
    environment = {**os.environ, **files}
    script = """
import django; django.setup()
from django.conf import settings
from django.core.management import call_command
from django.db import connections
call_command("makemigrations", "--check", verbosity=0)
call_command("migrate", "contenttypes", database="replica", verbosity=0)
print(set(connections["replica"].introspection.table_names()), settings.DATABASES["replica"]["TEST"]["MIRROR"])
"""
    environment |= {"DJANGO_SETTINGS_MODULE": "cloudmart.settings", "PYTHONPATH": str(ROOT)}
    assert run_python("-c", script, env=environment).stdout.strip() == "{'django_migrations'} default"


@pytest.mark.any_database
def test_a_replica_has_the_options_of_the_primary_and_shorter_timeouts():
    url = {"ENGINE": "django.db.backends.mysql", "NAME": "shop"}
    primary, replica = database_from(url, 60), replica_from(url, 60)
    assert {"connect_timeout": 1, "read_timeout": 5}.items() <= replica["OPTIONS"].items()
    assert {**primary["OPTIONS"], **replica["OPTIONS"]} == replica["OPTIONS"]
    assert replica_from({**url, "OPTIONS": {"read_timeout": 9}}, 60)["OPTIONS"]["read_timeout"] == 9
