"""Durable functions: the outermost transaction is repeated as a whole, or not at all."""

from threading import Barrier, Event

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from cloudmart.database import transactions
from cloudmart.database.transactions import ATTEMPTS, drop_connection_after, durable
from cloudmart.kernel.errors import DatabaseBusy
from orders.models import Customer
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT

DEADLOCK = OperationalError(1213, "Deadlock found")
ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connections and row locks")


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch):
    monkeypatch.setattr(transactions, "MAX_BACKOFF", 0)


def failing(times, error):
    """Returns a transaction that writes a customer but fails so many times, and what each attempt has read."""
    attempts = []

    @durable
    def write():
        attempts.append(Customer.objects.count())
        CustomerFactory(id=f"customer-{len(attempts)}", user=None)
        if len(attempts) <= times:
            raise error
        return len(attempts)

    return write, attempts


@known_bug("Jepsen: TiDB 2.1.7", "MariaDB 11.6.2: snapshot isolation")
@pytest.mark.parametrize(
    "error",
    [DEADLOCK, OperationalError(1205, "x"), OperationalError(1020, "x"), OperationalError("database is locked")],
)
def test_a_transaction_that_lost_a_conflict_is_repeated_from_its_first_read(transactional_db, error):
    write, attempts = failing(2, error)
    assert write() == 3
    assert attempts == [0, 0, 0], "each attempt reads again, and the earlier ones have left nothing"
    assert list(Customer.objects.values_list("pk", flat=True)) == ["customer-3"]


def test_conflicts_that_do_not_end_raise_database_busy(transactional_db):
    write, attempts = failing(100, DEADLOCK)
    with pytest.raises(DatabaseBusy):
        write()
    assert len(attempts) == ATTEMPTS
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("error", "raised"), [(DEADLOCK, DatabaseBusy), (OperationalError(2013, "x"), OperationalError)]
)
def test_no_attempt_begins_after_the_transaction_budget(transactional_db, settings, error, raised):
    settings.TRANSACTION_BUDGET = 0
    write, attempts = failing(1, error)
    with pytest.raises(raised):
        write()
    assert len(attempts) == 1


class Clock:
    """Stands for the module `time`: a second passes with each backoff, and no other time."""

    def __init__(self):
        self.seconds = 0

    def monotonic(self):
        return self.seconds

    def sleep(self, backoff):
        self.seconds += 1


@pytest.fixture
def outage(monkeypatch):
    """The clock of an outage that may begin, of which transactions wait for the first ten seconds."""
    clock = Clock()
    monkeypatch.setattr(transactions, "time", clock)
    monkeypatch.setattr(transactions, "FAILOVER", 10)
    monkeypatch.setattr(transactions, "OUTAGE", transactions.Outage())
    return clock


@known_bug("Aurora: failover")
@pytest.mark.parametrize("code", [1290, 2003])
def test_a_transaction_waits_for_a_server_that_writes(transactional_db, outage, code):
    write, attempts = failing(10, OperationalError(code, "failover"))
    assert write() == 11
    assert attempts == [0] * 11


def test_transactions_wait_in_the_first_seconds_of_an_outage_only(transactional_db, outage):
    refused = OperationalError(1290, "read-only")
    write, attempts = failing(100, refused)
    for expected in (11, ATTEMPTS, ATTEMPTS):
        attempts.clear()
        with pytest.raises(OperationalError):
            write()
        assert len(attempts) == expected
    durable(lambda: None)()
    write, attempts = failing(10, refused)
    assert write() == 11, "a transaction has succeeded, so this is another outage"


def test_conflicts_are_no_outage(transactional_db, outage):
    write, attempts = failing(100, DEADLOCK)
    with pytest.raises(DatabaseBusy):
        write()
    assert len(attempts) == ATTEMPTS


def test_an_open_transaction_keeps_its_connection(transactional_db):
    with transaction.atomic():
        CustomerFactory(user=None)
        drop_connection_after(OperationalError(1290, "read-only"))
    assert Customer.objects.exists()


def test_any_other_error_is_not_retried(transactional_db):
    write, attempts = failing(1, OperationalError(1146, "no such table"))
    with pytest.raises(OperationalError):
        write()
    assert len(attempts) == 1


@pytest.mark.parametrize("code", [2006, 2013, 1927, 2003])
def test_a_transaction_that_lost_its_connection_before_commit_is_repeated(transactional_db, code):
    write, attempts = failing(2, OperationalError(code, "gone"))
    assert write() == 3
    assert attempts == [0, 0, 0]


@known_bug("Django: dead connection")
@ON_A_SERVER
@pytest.mark.parametrize("when", ["before", "within"])
def test_a_dead_connection_is_replaced(transactional_db, when):
    """It may die during a provider call, for instance."""
    attempts = []

    @durable
    def write():
        attempts.append(Customer.objects.count())
        if when == "within" and len(attempts) == 1:
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
def test_a_deadlock_inside_a_savepoint_repeats_the_whole_transaction(transactional_db):
    """The server has rolled back what came before the savepoint, too."""
    marks = mark_of(CustomerFactory(user=None)), mark_of(CustomerFactory(user=None))
    each_has_one = Barrier(2)

    def in_this_order(first, second):
        attempts = []

        @durable
        def write():
            attempts.append(first)
            first()
            if len(attempts) == 1:
                each_has_one.wait(TIMEOUT)
            with transaction.atomic():
                second()
            return len(attempts)

        return write

    assert sorted(all_at_once([in_this_order(*marks), in_this_order(*marks[::-1])])) == [1, 2]
    assert list(Customer.objects.values_list("name", flat=True)) == ["xx", "xx"]


@known_bug("MySQL: lock wait timeout")
@ON_A_SERVER
def test_a_lock_wait_timeout_rolls_the_whole_transaction_back(transactional_db):
    """The server itself rolls back only the last statement."""
    mark_one, mark_other = mark_of(CustomerFactory(user=None)), mark_of(CustomerFactory(user=None))
    is_held, is_to_be_freed, attempts = Event(), Event(), []

    @durable
    def hold():
        mark_other()
        is_held.set()
        assert is_to_be_freed.wait(TIMEOUT)

    @durable
    def write():
        if attempts:
            is_to_be_freed.set()
        attempts.append(1)
        mark_one()
        mark_other()

    def write_meanwhile():
        assert is_held.wait(TIMEOUT)
        connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
        write()

    assert all_at_once([hold, write_meanwhile]) == [None, None]
    assert len(attempts) == 2
    assert list(Customer.objects.order_by("pk").values_list("name", flat=True)) == ["x", "xx"]


def mark_of(customer):
    """Empties the customer's name. Returns a function that appends an x to it."""
    row = Customer.objects.filter(pk=customer.pk)
    row.update(name="")
    return lambda: row.update(name=Concat(F("name"), Value("x")))


@known_bug("FoundationDB: commit_unknown_result")
def test_a_transaction_that_lost_its_connection_at_commit_is_not_repeated(transactional_db, monkeypatch):
    """It may have been committed."""
    write, attempts = failing(0, None)
    commit = connection.commit

    def commit_and_lose():
        commit()
        raise OperationalError(2013, "Lost connection during query")

    with monkeypatch.context() as broken, pytest.raises(OperationalError):
        broken.setattr(connection, "commit", commit_and_lose)
        write()
    assert attempts == [0] and Customer.objects.count() == 1


@known_bug("Django: atomic in atomic")
def test_a_durable_function_is_never_part_of_another_transaction(transactional_db):
    write, attempts = failing(0, DEADLOCK)
    with transaction.atomic(), pytest.raises(RuntimeError):
        write()
    assert attempts == []


def test_endless_conflicts_get_a_503_busy(api, shelve):
    shelve("book-123", 1)

    def deadlock(execute, sql, params, many, context):
        if sql.startswith("INSERT"):
            raise DEADLOCK
        return execute(sql, params, many, context)

    with connection.execute_wrapper(deadlock):
        response = api.post("/orders", {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"})
    assert response.status_code == 503 and response["Retry-After"] == "1"
    assert response.json()["code"] == "busy"


@pytest.mark.parametrize("path", ["/inventory", "/orders"])
def test_an_unreachable_database_gets_a_503_database_unavailable(api, path):
    def away(*args):
        raise OperationalError(2003, "Can't connect")

    with connection.execute_wrapper(away):
        response = api.get(path)
    assert response.status_code == 503 and response.json()["code"] == "database_unavailable"
    assert response["Retry-After"] == "5"


def test_an_unforeseen_error_gets_a_500_with_an_id_that_is_in_the_log(api, monkeypatch, caplog):
    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr("orders.views.find_order", fail)
    response = api.get("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2")
    assert response.status_code == 500
    assert "ZeroDivision" not in response.content.decode()
    assert response.json()["error_id"] in caplog.text and "ZeroDivisionError" in caplog.text
