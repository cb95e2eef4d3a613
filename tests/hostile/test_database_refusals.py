"""A reachable database that refuses to work: read-only, full, exhausted, or interrupted."""

from threading import Event

import pytest
from django.db import DatabaseError, Error, InternalError, OperationalError, ProgrammingError, connection
from rest_framework.test import APIClient

from cloudmart.database import transactions
from cloudmart.database.transactions import ATTEMPTS, durable
from cloudmart.models import IdempotencyKey
from cloudmart.periodic import PeriodicTask
from orders.models import Customer, Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.models import SagaInstance
from tests.factories import CustomerFactory
from tests.integration.test_lost_commits import recover_everything
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, wait_until

ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own limits")
ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that refuses")
BODY = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}

CANNOT_WRITE = [
    OperationalError(1290, "The MySQL server is running with the --read-only option"),
    OperationalError(1792, "Cannot execute statement in a READ ONLY transaction."),
    OperationalError(1836, "Running in read-only mode"),
    OperationalError(1047, "WSREP has not yet prepared node for application use"),
    OperationalError(1114, "The table is full"),
    OperationalError(1226, "User has exceeded the 'max_updates_per_hour' resource"),
    OperationalError(3100, "Error on observer while running replication hook 'before_commit'."),
    OperationalError(3101, "Plugin instructed the server to rollback the current transaction."),
    InternalError(3, "Error writing file (Errcode: 28 No space left on device)"),
    DatabaseError(1047, "Unknown command"),
    ProgrammingError(1290, "--super-read-only"),
    OperationalError("attempt to write a readonly database"),
    OperationalError("database or disk is full"),
]
INTERRUPTED = [
    OperationalError(1317, "Query execution was interrupted"),
    OperationalError(1969, "Query execution was interrupted (max_statement_time exceeded)"),
    InternalError(3024, "Query execution was interrupted, maximum statement execution time exceeded"),
]
BROKEN = [
    OperationalError("disk I/O error"),
    OperationalError("unable to open database file"),
    OperationalError(
        1180, "Error while appending streaming replication fragment (Not connected to Primary Component)"
    ),
    OperationalError(1203, "User shop already has more than 'max_user_connections' active connections"),
    OperationalError(2005, "Unknown MySQL server host 'db' (-3)"),
    OperationalError(2026, "TLS/SSL error: unexpected eof while reading"),
    OperationalError(3032, "The server is currently in offline mode"),
]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(transactions, "MAX_BACKOFF", 0)
    monkeypatch.setattr(transactions, "FAILOVER", 0)


class File:
    """The SQLite database."""

    def __init__(self):
        self._original = connection.settings_dict

    def refuse_writes(self):
        options = self._original["OPTIONS"]
        self._use({**self._original, "OPTIONS": {**options, "init_command": "PRAGMA query_only=ON"}})

    def allow_writes(self):
        self._use(self._original)

    def _use(self, settings_dict):
        connection.close()
        connection.settings_dict = settings_dict

    close = allow_writes


class Server:
    """The MySQL or MariaDB server. The shop connects as a user whom read_only applies to."""

    def __init__(self):
        self._administrator, self._original = connection.copy(), connection.settings_dict
        self.execute("DROP USER IF EXISTS plain")
        self.execute("CREATE USER plain")
        self.execute(f"GRANT ALL ON `{self._original['NAME']}`.* TO plain")
        connection.close()
        connection.settings_dict = {**self._original, "USER": "plain", "PASSWORD": ""}

    def execute(self, statement, *values):
        """Executes a statement as the administrator. Returns the rows."""
        with self._administrator.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def refuse_writes(self):
        self.execute("SET GLOBAL read_only = ON")

    def allow_writes(self):
        self.execute("SET GLOBAL read_only = OFF")

    def close(self):
        self.allow_writes()
        connection.close()
        connection.settings_dict = self._original
        self.execute("DROP USER plain")
        self._administrator.close()


@pytest.fixture
def database(transactional_db):
    database = File() if connection.vendor == "sqlite" else Server()
    yield database
    database.close()


def writing(act):
    """Returns a transaction that writes a customer and then calls `act` with the attempt's number, and its tries."""
    tries = []

    @durable
    def write():
        tries.append(Customer.objects.count())
        CustomerFactory(id=f"customer-{len(tries)}", user=None)
        act(len(tries))

    return write, tries


# --- Which errors are retried ---------------------------------------------------------------------


@known_bug("Aurora: failover")
@pytest.mark.parametrize("error", CANNOT_WRITE, ids=str)
def test_a_transaction_that_cannot_write_is_retried_on_a_new_connection(transactional_db, error):
    write, tries, connections = failing_once(error)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1
    assert connections[0] is not connections[1]


@pytest.mark.parametrize("error", INTERRUPTED, ids=str)
def test_an_interrupted_transaction_is_retried_on_the_same_connection(transactional_db, error):
    write, tries, connections = failing_once(error)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1
    assert connections[0] is connections[1]


def failing_once(error):
    """Returns a transaction that fails at the first try, its tries, and the connection of each."""
    connections = []

    def record_and_fail(attempt):
        connections.append(connection.connection)
        if attempt == 1:
            raise error

    return *writing(record_and_fail), connections


@known_bug("FoundationDB: commit_unknown_result")
@pytest.mark.parametrize("error", [*INTERRUPTED, *BROKEN], ids=str)
def test_a_commit_that_may_have_succeeded_is_not_retried(transactional_db, monkeypatch, error):
    write, tries = writing(lambda attempt: None)
    commit = connection.commit

    def commit_and_fail():
        commit()
        raise error

    with monkeypatch.context() as broken, pytest.raises(Error) as raised:
        broken.setattr(connection, "commit", commit_and_fail)
        write()
    assert raised.value is error
    assert tries == [0] and Customer.objects.count() == 1


@pytest.mark.parametrize("error", CANNOT_WRITE, ids=str)
def test_a_refused_commit_is_retried(transactional_db, monkeypatch, error):
    refusals = [error]
    write, tries = writing(lambda attempt: None)
    commit = connection.commit

    def refuse_once():
        if refusals:
            raise refusals.pop()
        commit()

    with monkeypatch.context() as broken:
        broken.setattr(connection, "commit", refuse_once)
        write()
    assert tries == [0, 0] and Customer.objects.count() == 1


@pytest.mark.parametrize("error", [*CANNOT_WRITE, *BROKEN], ids=str)
def test_a_database_that_never_writes_raises_after_the_last_try(transactional_db, error):
    def fail(attempt):
        raise error

    write, tries = writing(fail)
    with pytest.raises(Error) as raised:
        write()
    assert raised.value is error and len(tries) == ATTEMPTS
    assert not Customer.objects.exists()


# --- Responses to clients -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [*CANNOT_WRITE, *INTERRUPTED, *BROKEN], ids=str)
def test_a_database_error_is_503_and_no_internal_error(api, error):
    def refuse(*args):
        raise error

    with connection.execute_wrapper(refuse):
        for path in ("/orders", "/inventory/book-123"):
            response = api.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
            assert response["Retry-After"] == "5"


def test_a_database_error_in_the_admin_is_503_too(transactional_db, client, monkeypatch):
    def refuse(*args, **kwargs):
        raise CANNOT_WRITE[0]

    client.raise_request_exception = False
    monkeypatch.setattr("axes.models.AccessAttempt.objects.filter", refuse)
    response = client.post("/admin/login/", {"username": "boss", "password": "any"})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize("style", SagaStyle)
def test_a_read_only_database_takes_no_order_until_it_is_writable_again(api, shelve, database, style):
    shelve("book-123", 3)
    body, key = {**BODY, "saga": style}, {"Idempotency-Key": "one"}
    database.refuse_writes()
    refused = api.post("/orders", body, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused["Retry-After"] == "5"
    assert api.get("/orders").status_code == 200, "reads still work"
    database.allow_writes()
    assert api.post("/orders", body, headers=key).status_code == 201
    assert Order.objects.count() == 1


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_continues_when_the_database_is_writable_again(api, shelve, database, monkeypatch, style):
    charge = MockGateway.charge

    def charge_and_refuse(self, key, **details):
        database.refuse_writes()
        return charge(self, key, **details)

    shelve("book-123", 3)
    with monkeypatch.context() as patch:
        patch.setattr(MockGateway, "charge", charge_and_refuse)
        response = api.post("/orders", {**BODY, "saga": style})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    database.allow_writes()
    recover_everything()
    assert SagaInstance.objects.get().status == "COMPLETED"
    assert len({key for method, key in gateway().diary if method == "charge"}) == 1


@known_bug("Aurora: failover")
def test_a_refusal_is_stored_although_the_first_attempt_finds_a_server_that_cannot_write(api, shelve):
    refused = [CANNOT_WRITE[0]]

    def refuse_once(execute, sql, *args):
        if refused and sql.startswith("UPDATE") and IdempotencyKey._meta.db_table in sql:
            raise refused.pop()
        return execute(sql, *args)

    shelve("book-123", 0)
    with connection.execute_wrapper(refuse_once):
        first = api.post("/orders", BODY, headers={"Idempotency-Key": "one"})
    assert (first.status_code, refused) == (409, [])
    again = api.post("/orders", BODY, headers={"Idempotency-Key": "one"})
    assert (again.status_code, again["Idempotent-Replayed"]) == (409, "true")


# --- Probes ---------------------------------------------------------------------------------------


def test_readyz_fails_while_the_database_is_read_only(database, lines):
    database.refuse_writes()
    response = APIClient().get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "not ready", "failed": "writing"})
    assert APIClient().get("/healthz").status_code == 200
    assert [line["logger"] for line in lines() if line["level"] == "warning"] == ["cloudmart.api.health"]
    database.allow_writes()
    assert APIClient().get("/readyz").status_code == 200


def test_readyz_changes_no_row(transactional_db, django_assert_num_queries):
    APIClient().get("/readyz")
    with connection.cursor() as cursor:
        before = changes(cursor)
        assert APIClient().get("/readyz").status_code == 200
        assert changes(cursor) == before


def changes(cursor):
    """Returns a number that grows with every row changed over this connection."""
    on_sqlite = connection.vendor == "sqlite"
    cursor.execute("SELECT total_changes()" if on_sqlite else "SHOW SESSION STATUS LIKE 'Handler_update'")
    return cursor.fetchone()


# --- Errors of real databases ---------------------------------------------------------------------


@known_bug("Aurora: failover")
@ON_A_SERVER
def test_a_transaction_survives_a_short_read_only_period(database):
    tries = []

    @durable
    def write():
        tries.append(connection_id())
        database.refuse_writes() if len(tries) == 1 else database.allow_writes()
        CustomerFactory(user=None)

    write()
    assert len(set(tries)) == 2, "on another connection"
    assert Customer.objects.count() == 1


@ON_A_SERVER
def test_a_request_that_cannot_write_leaves_no_connection_to_that_server(database, client):
    """The database may have become a replica. Its connections pass every health check, and never write again."""
    client.raise_request_exception = False
    before = connection_id()
    database.refuse_writes()
    assert client.post("/admin/login/", {"username": "boss", "password": "any"}).status_code == 503
    database.allow_writes()
    assert connection_id() != before


@ON_A_SERVER
def test_a_task_that_cannot_write_leaves_no_connection_to_that_server(database):
    before = connection_id()
    database.refuse_writes()
    assert PeriodicTask("writes", lambda should_stop: Customer.objects.update(name="new"), 1).run() is None
    database.allow_writes()
    assert connection_id() != before


def connection_id():
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return cursor.fetchone()


@ON_SQLITE
def test_a_transaction_survives_a_read_only_connection(transactional_db):
    write, tries = writing(lambda attempt: CustomerFactory(user=None))
    connection.cursor().execute("PRAGMA query_only = ON")
    write()
    assert tries == [0], "the first try was refused at BEGIN"
    assert Customer.objects.count() == 2


@ON_SQLITE
def test_a_transaction_survives_a_full_disk(transactional_db):
    connection.cursor().execute("VACUUM")  # removes free pages, which could be filled without growth
    tries = []

    @durable
    def write():
        tries.append(1)
        if len(tries) == 1:
            connection.cursor().execute("PRAGMA max_page_count = 1")
        for number in range(500):
            CustomerFactory(id=f"customer-{number}", user=None)

    write()
    assert len(tries) == 2 and Customer.objects.count() == 500


@ON_A_SERVER
def test_a_transaction_survives_a_full_table(transactional_db):
    def fill(attempt):
        if attempt == 1:
            with connection.cursor() as cursor:
                for _ in range(1000):
                    cursor.execute("INSERT INTO small VALUES ('x')")

    with connection.cursor() as cursor:
        cursor.execute("SET SESSION max_heap_table_size = 16384")
        cursor.execute("CREATE TEMPORARY TABLE small (text CHAR(255)) ENGINE = MEMORY")
    write, tries = writing(fill)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1


@ON_A_SERVER
def test_an_exhausted_database_user_is_503(api, shelve, database):
    shelve("book-123", 3)
    database.execute("ALTER USER plain WITH MAX_UPDATES_PER_HOUR 1")
    connection.close()
    responses = [api.post("/orders", BODY) for _ in range(2)]
    assert {(each.status_code, each.json()["code"]) for each in responses} == {(503, "database_unavailable")}
    assert APIClient().get("/readyz").json()["failed"] == "writing"
    database.execute("ALTER USER plain WITH MAX_UPDATES_PER_HOUR 0")
    connection.close()
    assert api.post("/orders", BODY).status_code == 201


@ON_A_SERVER
def test_a_statement_that_exceeds_the_time_limit_is_retried(transactional_db):
    if not connection.mysql_is_mariadb:
        pytest.skip("MySQL limits the time of a SELECT only, and its SLEEP is then just shorter")

    def sleep(attempt):
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION max_statement_time = {0.1 if attempt == 1 else 0}")
            cursor.execute("SELECT SLEEP(%s)", [30 if attempt == 1 else 0])

    write, tries = writing(sleep)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1


@ON_A_SERVER
def test_a_killed_statement_is_retried(transactional_db):
    row = Customer.objects.filter(pk=CustomerFactory(user=None).pk)
    is_held, tries = Event(), []

    @durable
    def hold():
        row.select_for_update().get()
        is_held.set()
        with connection.cursor() as cursor:
            wait_until(lambda: cursor.execute(WAITING))
            cursor.execute("KILL QUERY %s", cursor.fetchone())
            wait_until(lambda: not cursor.execute(WAITING) or len(tries) > 1)

    @durable
    def write():
        tries.append(1)
        row.update(name="written")

    def write_meanwhile():
        assert is_held.wait(TIMEOUT)
        write()

    assert all_at_once([hold, write_meanwhile]) == [None, None]
    assert len(tries) == 2 and row.get().name == "written"


WAITING = "SELECT id FROM information_schema.processlist WHERE command = 'Query' AND info LIKE 'UPDATE `customers`%'"
