"""A database that answers, and does not do what it is asked: read-only, full, used up, or interrupted."""

from threading import Event

import pytest
from django.db import DatabaseError, Error, InternalError, OperationalError, ProgrammingError, connection
from rest_framework.test import APIClient

from cloudmart.database import transactions
from cloudmart.database.transactions import TRIES, durable
from orders.models import Customer, Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.models import SagaInstance
from tests.factories import CustomerFactory
from tests.integration.test_lost_commits import recover_everything
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import PATIENCE, wait_until

ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own limits")
ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that refuses")
BODY = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}

CANNOT_WRITE = [
    OperationalError(1290, "The MySQL server is running with the --read-only option"),
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
BROKEN = [OperationalError("disk I/O error"), OperationalError("unable to open database file")]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(transactions, "LONGEST_PAUSE", 0)


class File:
    """The SQLite database."""

    def __init__(self):
        self._usual = connection.settings_dict

    def refuse_writes(self):
        options = self._usual["OPTIONS"]
        self._use({**self._usual, "OPTIONS": {**options, "init_command": "PRAGMA query_only=ON"}})

    def allow_writes(self):
        self._use(self._usual)

    def _use(self, settings_dict):
        connection.close()
        connection.settings_dict = settings_dict

    close = allow_writes


class Server:
    """The MySQL or MariaDB server; the shop is a user without the privilege to write where nobody may."""

    def __init__(self):
        self._administrator, self._usual = connection.copy(), connection.settings_dict
        self.execute("DROP USER IF EXISTS plain")
        self.execute("CREATE USER plain")
        self.execute(f"GRANT ALL ON `{self._usual['NAME']}`.* TO plain")
        connection.close()
        connection.settings_dict = {**self._usual, "USER": "plain", "PASSWORD": ""}

    def execute(self, statement, *values):
        """As the administrator. Returns the rows."""
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
        connection.settings_dict = self._usual
        self.execute("DROP USER plain")
        self._administrator.close()


@pytest.fixture
def database(transactional_db):
    database = File() if connection.vendor == "sqlite" else Server()
    yield database
    database.close()


def writing(act):
    """A transaction that writes a customer and then does `act`, which is given the number of the try."""
    tries = []

    @durable
    def write():
        tries.append(Customer.objects.count())
        CustomerFactory(id=f"customer-{len(tries)}", user=None)
        act(len(tries))

    return write, tries


# --- Which errors are tried again -----------------------------------------------------------------


@known_bug("Aurora: failover")
@pytest.mark.parametrize("error", CANNOT_WRITE, ids=str)
def test_who_may_not_write_tries_again_over_a_new_connection(transactional_db, error):
    write, tries, connections = failing_once(error)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1
    assert connections[0] is not connections[1]


@pytest.mark.parametrize("error", INTERRUPTED, ids=str)
def test_what_was_interrupted_is_done_again_whole(transactional_db, error):
    write, tries, connections = failing_once(error)
    write()
    assert tries == [0, 0] and Customer.objects.count() == 1
    assert connections[0] is connections[1]


def failing_once(error):
    """A transaction that fails at the first try, its tries, and the connection of each."""
    connections = []

    def note_and_fail(attempt):
        connections.append(connection.connection)
        if attempt == 1:
            raise error

    return *writing(note_and_fail), connections


@known_bug("FoundationDB: commit_unknown_result")
@pytest.mark.parametrize("error", [*INTERRUPTED, *BROKEN], ids=str)
def test_a_commit_that_may_have_been_done_is_not_tried_again(transactional_db, monkeypatch, error):
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
def test_a_commit_that_was_refused_is_tried_again(transactional_db, monkeypatch, error):
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
def test_a_database_that_never_writes_is_given_up(transactional_db, error):
    def fail(attempt):
        raise error

    write, tries = writing(fail)
    with pytest.raises(Error) as raised:
        write()
    assert raised.value is error and len(tries) == TRIES
    assert not Customer.objects.exists()


# --- What clients are told ------------------------------------------------------------------------


@pytest.mark.parametrize("error", [*CANNOT_WRITE, *INTERRUPTED, *BROKEN], ids=str)
def test_no_trouble_of_the_database_is_an_unforeseen_error(api, monkeypatch, error):
    def refuse(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.sql.compiler.SQLCompiler.execute_sql", refuse)
        for path in ("/orders", "/inventory/book-123"):
            answer = api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
            assert answer["Retry-After"] == "5"


def test_in_the_admin_neither(transactional_db, client, monkeypatch):
    def refuse(*args, **kwargs):
        raise CANNOT_WRITE[0]

    client.raise_request_exception = False
    monkeypatch.setattr("axes.models.AccessAttempt.objects.filter", refuse)
    answer = client.post("/admin/login/", {"username": "boss", "password": "any"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize("style", SagaStyle)
def test_a_database_that_is_read_only_takes_no_order_until_it_writes_again(api, shelve, database, style):
    shelve("book-123", 3)
    body, key = {**BODY, "saga": style}, {"Idempotency-Key": "one"}
    database.refuse_writes()
    refused = api.post("/orders", body, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused["Retry-After"] == "5"
    assert api.get("/orders").status_code == 200, "reading goes on"
    database.allow_writes()
    assert api.post("/orders", body, headers=key).status_code == 201
    assert Order.objects.count() == 1


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_goes_on_when_the_database_writes_again(api, shelve, database, monkeypatch, style):
    charge = MockGateway.charge

    def charge_and_refuse(self, key, **wish):
        database.refuse_writes()
        return charge(self, key, **wish)

    shelve("book-123", 3)
    with monkeypatch.context() as patch:
        patch.setattr(MockGateway, "charge", charge_and_refuse)
        answer = api.post("/orders", {**BODY, "saga": style})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    database.allow_writes()
    recover_everything()
    assert SagaInstance.objects.get().status == "COMPLETED"
    assert len({key for verb, key in gateway().diary if verb == "charge"}) == 1


# --- What probes are told -------------------------------------------------------------------------


def test_a_server_whose_database_is_read_only_is_not_ready(database, lines):
    database.refuse_writes()
    answer = APIClient().get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failed": "writing"})
    assert APIClient().get("/healthz").status_code == 200
    assert [line["logger"] for line in lines() if line["level"] == "warning"] == ["cloudmart.api.health"]
    database.allow_writes()
    assert APIClient().get("/readyz").status_code == 200


def test_the_probe_writes_nothing(transactional_db, django_assert_num_queries):
    APIClient().get("/readyz")
    with connection.cursor() as cursor:
        before = changes(cursor)
        assert APIClient().get("/readyz").status_code == 200
        assert changes(cursor) == before


def changes(cursor):
    """A number that grows with every row that is changed over this connection."""
    on_sqlite = connection.vendor == "sqlite"
    cursor.execute("SELECT total_changes()" if on_sqlite else "SHOW SESSION STATUS LIKE 'Handler_update'")
    return cursor.fetchone()


# --- Real refusals --------------------------------------------------------------------------------


@known_bug("Aurora: failover")
@ON_A_SERVER
def test_a_server_that_is_read_only_for_a_moment(database):
    tries = []

    @durable
    def write():
        tries.append(1)
        database.refuse_writes() if len(tries) == 1 else database.allow_writes()
        CustomerFactory(user=None)

    write()
    assert len(tries) == 2 and Customer.objects.count() == 1


@ON_SQLITE
def test_a_file_that_may_not_be_written_over_this_connection(transactional_db):
    write, tries = writing(lambda attempt: CustomerFactory(user=None))
    connection.cursor().execute("PRAGMA query_only = ON")
    write()
    assert tries == [0], "the first try was refused at BEGIN"
    assert Customer.objects.count() == 2


@ON_SQLITE
def test_a_file_that_may_not_grow_is_a_disk_that_is_full(transactional_db):
    connection.cursor().execute("VACUUM")  # free pages that others have left need no growth
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
def test_a_table_that_is_full(transactional_db):
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
def test_a_user_who_has_asked_too_much_for_this_hour(api, shelve, database):
    shelve("book-123", 3)
    database.execute("ALTER USER plain WITH MAX_UPDATES_PER_HOUR 1")
    connection.close()
    answers = [api.post("/orders", BODY) for _ in range(2)]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "database_unavailable")}
    assert APIClient().get("/readyz").json()["failed"] == "writing"
    database.execute("ALTER USER plain WITH MAX_UPDATES_PER_HOUR 0")
    connection.close()
    assert api.post("/orders", BODY).status_code == 201


@ON_A_SERVER
def test_a_statement_that_takes_too_long_is_tried_again(transactional_db):
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
def test_a_statement_that_is_killed_is_tried_again(transactional_db):
    """By an administrator, say, while it waits for a row."""
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
        assert is_held.wait(PATIENCE)
        write()

    assert all_at_once([hold, write_meanwhile]) == [None, None]
    assert len(tries) == 2 and row.get().name == "written"


WAITING = "SELECT id FROM information_schema.processlist WHERE command = 'Query' AND info LIKE 'UPDATE `customers`%'"
