"""The database retry rule: the outermost transaction is run again, whole, or not at all."""

from threading import Barrier, Event

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from cloudmart.database import transactions
from cloudmart.database.transactions import TRIES, durable
from cloudmart.kernel.errors import DatabaseBusy
from orders.models import Customer
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT

DEADLOCK = OperationalError(1213, "Deadlock found")
ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connections and row locks")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(transactions, "LONGEST_PAUSE", 0)


def failing(times, error):
    """A transaction that writes a customer, and then fails so many times."""
    tries = []

    @durable
    def write():
        tries.append(Customer.objects.count())
        CustomerFactory(id=f"customer-{len(tries)}", user=None)
        if len(tries) <= times:
            raise error
        return len(tries)

    return write, tries


@known_bug("Jepsen: TiDB 2.1.7", "MariaDB 11.6.2: snapshot isolation")
@pytest.mark.parametrize(
    "error",
    [DEADLOCK, OperationalError(1205, "x"), OperationalError(1020, "x"), OperationalError("database is locked")],
)
def test_a_lost_conflict_is_run_again_from_its_first_read(transactional_db, error):
    write, tries = failing(2, error)
    assert write() == 3
    assert tries == [0, 0, 0], "each try reads again, and nothing of the ones before is left"
    assert list(Customer.objects.values_list("pk", flat=True)) == ["customer-3"]


def test_conflicts_that_do_not_end_are_given_up(transactional_db):
    write, tries = failing(100, DEADLOCK)
    with pytest.raises(DatabaseBusy):
        write()
    assert len(tries) == TRIES
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("error", "raised"), [(DEADLOCK, DatabaseBusy), (OperationalError(2013, "x"), OperationalError)]
)
def test_no_attempt_begins_once_the_time_is_over(transactional_db, settings, error, raised):
    settings.TRANSACTION_BUDGET = 0
    write, tries = failing(1, error)
    with pytest.raises(raised):
        write()
    assert len(tries) == 1


def test_any_other_error_is_not_run_again(transactional_db):
    write, tries = failing(1, OperationalError(1146, "no such table"))
    with pytest.raises(OperationalError):
        write()
    assert len(tries) == 1


@pytest.mark.parametrize("code", [2006, 2013, 1927, 2003])
def test_a_lost_connection_is_run_again_while_nothing_was_committed(transactional_db, code):
    write, tries = failing(2, OperationalError(code, "gone"))
    assert write() == 3
    assert tries == [0, 0, 0]


@known_bug("Django: dead connection")
@ON_A_SERVER
@pytest.mark.parametrize("when", ["before", "within"])
def test_a_connection_that_has_died_is_replaced(transactional_db, when):
    """As it may, for example while a provider is asked."""
    tries = []

    @durable
    def write():
        tries.append(Customer.objects.count())
        if when == "within" and len(tries) == 1:
            kill_my_connection()
        CustomerFactory(user=None)

    if when == "before":
        kill_my_connection()
    write()
    assert Customer.objects.count() == 1


def kill_my_connection():
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (mine,) = cursor.fetchone()
    assert all_at_once([lambda: connection.cursor().execute("KILL %s", [mine])]) == [0]


@known_bug("Django: deadlock inside a savepoint")
@ON_A_SERVER
def test_a_deadlock_inside_a_savepoint_takes_the_whole_transaction_again(transactional_db):
    """By then the server has rolled back what came before the savepoint, too."""
    names = mark_of(CustomerFactory(user=None)), mark_of(CustomerFactory(user=None))
    each_has_one = Barrier(2)

    def in_this_order(first, second):
        tries = []

        @durable
        def write():
            tries.append(first)
            first()
            if len(tries) == 1:
                each_has_one.wait(TIMEOUT)
            with transaction.atomic():
                second()
            return len(tries)

        return write

    assert sorted(all_at_once([in_this_order(*names), in_this_order(*names[::-1])])) == [1, 2]
    assert list(Customer.objects.values_list("name", flat=True)) == ["xx", "xx"]


@known_bug("MySQL: lock wait timeout")
@ON_A_SERVER
def test_who_waits_for_a_lock_too_long_leaves_nothing_of_the_transaction(transactional_db):
    """The server itself rolls only the last statement back."""
    mark_one, mark_other = mark_of(CustomerFactory(user=None)), mark_of(CustomerFactory(user=None))
    is_held, is_to_be_freed, tries = Event(), Event(), []

    @durable
    def hold():
        mark_other()
        is_held.set()
        assert is_to_be_freed.wait(TIMEOUT)

    @durable
    def write():
        if tries:
            is_to_be_freed.set()
        tries.append(1)
        mark_one()
        mark_other()

    def write_meanwhile():
        assert is_held.wait(TIMEOUT)
        connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
        write()

    assert all_at_once([hold, write_meanwhile]) == [None, None]
    assert len(tries) == 2
    assert list(Customer.objects.order_by("pk").values_list("name", flat=True)) == ["x", "xx"]


def mark_of(customer):
    """Adds an x to the customer's name, which is empty so far."""
    row = Customer.objects.filter(pk=customer.pk)
    row.update(name="")
    return lambda: row.update(name=Concat(F("name"), Value("x")))


@known_bug("FoundationDB: commit_unknown_result")
def test_a_connection_that_is_lost_at_commit_is_not_tried_again(transactional_db, monkeypatch):
    """It may have been committed."""
    write, tries = failing(0, None)
    commit = connection.commit

    def commit_and_lose():
        commit()
        raise OperationalError(2013, "Lost connection during query")

    with monkeypatch.context() as broken, pytest.raises(OperationalError):
        broken.setattr(connection, "commit", commit_and_lose)
        write()
    assert tries == [0] and Customer.objects.count() == 1


@known_bug("Django: atomic in atomic")
def test_a_durable_function_is_never_part_of_another_transaction(transactional_db):
    write, tries = failing(0, DEADLOCK)
    with transaction.atomic(), pytest.raises(RuntimeError):
        write()
    assert tries == []


def test_a_shop_that_is_too_busy_says_so(api, shelve, monkeypatch):
    shelve("book-123", 1)

    def deadlock(*args, **kwargs):
        raise DEADLOCK

    with monkeypatch.context() as patch:
        patch.setattr(connection.ops, "bulk_insert_sql", deadlock)
        answer = api.post("/orders", {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"})
    assert answer.status_code == 503 and answer["Retry-After"] == "1"
    assert answer.json()["code"] == "busy"


@pytest.mark.parametrize("path", ["/inventory", "/orders"])
def test_a_database_that_is_away_is_not_our_failure(api, monkeypatch, path):
    def away(*args, **kwargs):
        raise OperationalError(2003, "Can't connect")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.sql.compiler.SQLCompiler.execute_sql", away)
        answer = api.get(path)
    assert answer.status_code == 503 and answer.json()["code"] == "database_unavailable"
    assert answer["Retry-After"] == "5"


def test_what_nobody_foresaw_has_an_id_that_stands_in_the_log(api, monkeypatch, caplog):
    def burst(*args):
        raise ZeroDivisionError

    monkeypatch.setattr("orders.views.find_order", burst)
    answer = api.get("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.content.decode()
    assert answer.json()["error_id"] in caplog.text and "ZeroDivisionError" in caplog.text
