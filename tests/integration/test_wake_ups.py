"""What leaves a saga to others wakes a driver for it, after the commit, and never delays an order."""

import json
import socket
from threading import Event as Signal

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from prometheus_client import REGISTRY

from cloudmart.celery import DELIVERY_LIMIT, QUEUES
from cloudmart.kernel.redaction import redacted, register_secret
from cloudmart.kernel.stopping import always, never
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.engine import runner, wake_ups
from sagas.engine.recovery import due
from sagas.engine.wake_ups import FAILURES, Publisher, Sender
from sagas.models import OperatorCommand
from sagas.operations.commands import SPARING_ABANDONED, run_command
from sagas.tasks import recover
from tests.acceptance.test_payment_commands import raising
from tests.conftest import order_snapshot
from tests.processes import TIMEOUT, free_port, run_python, wait_until

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
STYLES = pytest.mark.parametrize("style", SagaStyle)


@pytest.fixture(autouse=True)
def shop(customer, shelve):
    shelve("book-123", 100)


def start(style=SagaStyle.ORCHESTRATION, should_stop=always, **changes):
    return engine.start(order_snapshot(("book-123", 1), style=style, **changes), should_stop=should_stop)


def status_of(order_id):
    return Order.objects.get(pk=order_id).status


def counted(outcome):
    """Returns how many wake-ups of orchestrated sagas have ended like this."""
    labels = {"style": "orchestration", "outcome": outcome}
    return REGISTRY.get_sample_value("cloudmart_wake_ups_total", labels) or 0


# --- When -----------------------------------------------------------------------------------------


@pytest.fixture
def woken(settings, monkeypatch):
    """The orders for which a message has been published."""
    settings.BROKER_URL = "amqp://127.0.0.1:1"
    published = []

    class Recorder:
        def publish(self, style, order_id):
            published.append((style, order_id))

    monkeypatch.setattr(wake_ups, "publisher", Recorder())
    return published


@STYLES
@pytest.mark.any_database
def test_an_order_that_its_request_finishes_wakes_nobody(woken, api, style):
    response = api.post(
        "/orders", {"saga": style, "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
    )
    assert response.status_code == 201 and woken == []


@STYLES
@pytest.mark.any_database
def test_an_order_that_its_request_leaves_wakes_a_driver_of_its_style(woken, style):
    saga = start(style)
    assert woken == [(style, saga.order_id)]


@STYLES
@pytest.mark.any_database
def test_a_confirmed_draft_wakes_a_driver_too(woken, api, style):
    draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 1})
    response = api.post(f"/orders/{draft}/confirm", {}, headers={"Prefer": "respond-async"})
    assert response.status_code == 202 and [(style, str(order_id)) for style, order_id in woken] == [(style, draft)]


@STYLES
@pytest.mark.any_database
def test_a_requested_cancellation_wakes_a_driver(woken, style):
    saga = start(style)
    woken.clear()
    cancel_order(saga.order_id, "Changed my mind.")
    assert woken == [(style, saga.order_id)]
    SPARING_ABANDONED[OperatorCommand.CANCEL](saga.order_id, "In a batch.", "operator", always)
    assert len(woken) == 2


@STYLES
@pytest.mark.any_database
def test_the_cancellation_of_a_completed_order_wakes_nobody(woken, style):
    saga = start(style, should_stop=never)
    SPARING_ABANDONED[OperatorCommand.CANCEL](saga.order_id, "In a batch.", "operator", never)
    assert (status_of(saga.order_id), woken) == ("cancelled", [])


@STYLES
@pytest.mark.any_database
@pytest.mark.parametrize("command", [OperatorCommand.RETRY, OperatorCommand.COMPENSATE, OperatorCommand.RESUME])
def test_an_operators_command_wakes_a_driver_if_it_leaves_the_saga(woken, style, command):
    saga = start(style)
    if command == OperatorCommand.RESUME:
        run_command(OperatorCommand.ABANDON, saga.order_id, "operator", "By hand.")
    woken.clear()
    run_command(command, saga.order_id, "operator", "Now.", always)
    assert woken == [(style, saga.order_id)]


@STYLES
@pytest.mark.any_database
def test_a_cancellation_during_a_call_without_an_outcome_wakes_a_driver(woken, style, monkeypatch):
    saga = start(style)
    woken.clear()

    def cancel_meanwhile(*args, **kwargs):
        cancel_order(saga.order_id, "Changed my mind.")
        raise OutcomeUnknown("no response")

    monkeypatch.setattr(MockGateway, "charge", cancel_meanwhile)
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
    monkeypatch.setattr("django.conf.settings.PROVIDER_TRIES", 1)
    engine.recover(saga)
    assert woken == [(style, saga.order_id)] * 2, "when it was requested, and when the driver has left"
    assert due(1) == [saga]


@STYLES
@pytest.mark.any_database
def test_a_saga_that_waits_for_its_provider_wakes_nobody(woken, style, monkeypatch):
    saga = start(style)
    woken.clear()
    monkeypatch.setattr(MockGateway, "charge", raising(OutcomeUnknown("no response")))
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
    monkeypatch.setattr("django.conf.settings.PROVIDER_TRIES", 1)
    recover(str(saga.order_id))
    saga.refresh_from_db()
    assert (saga.attempts, woken) == (1, [])


@pytest.mark.any_database
def test_a_transaction_that_is_rolled_back_wakes_nobody(woken, monkeypatch):
    """It is repeated, and only the one that is committed does."""
    saga, wake, done = start(), runner.wake, []
    woken.clear()

    def wake_and_fail_at_first(saga):
        wake(saga)
        done.append(list(woken))
        if len(done) == 1:
            raise OperationalError(1205, "lock wait timeout")

    monkeypatch.setattr(runner, "wake", wake_and_fail_at_first)
    monkeypatch.setattr("cloudmart.database.transactions.MAX_BACKOFF", 0)
    engine.recover(saga, always)
    assert done == [[], []] and woken == [("orchestration", saga.order_id)]


# --- Publishing -----------------------------------------------------------------------------------


@pytest.fixture
def leave(broker, api):
    """Sends orders that their requests leave, until the publisher has processed them. Returns their ids."""

    def leave(count=1):
        responses = [api.post("/orders", ORDER, headers={"Prefer": "respond-async"}) for _ in range(count)]
        assert {response.status_code for response in responses} == {202}
        wake_ups.publisher.flush(TIMEOUT)
        return [response.json()["order_id"] for response in responses]

    return leave


@STYLES
@pytest.mark.any_database
def test_a_message_carries_the_orders_id_and_nothing_else(broker, style):
    order_id = start(style).order_id
    wake_ups.publisher.flush(TIMEOUT)
    with broker.connect() as amqp, amqp.channel() as channel:
        message = channel.basic_get(QUEUES[style], no_ack=True)
    arguments, named, _ = json.loads(message.body)
    assert (arguments, named) == ([str(order_id)], {})
    assert (message.headers["task"], message.headers["eta"]) == ("recover", None), "at once, and not at some time"


@pytest.mark.any_database
def test_a_message_that_nobody_receives_expires(leave, broker, monkeypatch):
    published = counted("published")
    monkeypatch.setattr(wake_ups, "EXPIRES_AFTER", 0.01)
    leave(3)
    wait_until(lambda: broker.messages()["orchestration.commands"] == 0)
    assert counted("published") == published + 3


def test_orders_are_finished_although_every_queue_is_deleted(broker, leave):
    order_ids = leave(3)
    assert broker.messages()["orchestration.commands"] == 3
    broker.delete_queues()
    call_command("run_worker", once=True)
    assert {status_of(order_id) for order_id in order_ids} == {"completed"}


@pytest.mark.any_database
def test_no_request_waits_for_rabbitmq(leave, api, monkeypatch):
    released = Signal()
    monkeypatch.setattr(Sender, "send", lambda *args: released.wait(TIMEOUT))
    before = counted("published")
    response = api.post("/orders", ORDER, headers={"Prefer": "respond-async"})
    assert response.status_code == 202 and counted("published") == before
    released.set()
    wake_ups.publisher.flush(TIMEOUT)
    assert counted("published") == before + 1


@pytest.mark.any_database
def test_wake_ups_that_rabbitmq_is_too_slow_for_are_skipped(leave, api, monkeypatch):
    released = Signal()
    monkeypatch.setattr(Sender, "send", lambda *args: released.wait(TIMEOUT))
    monkeypatch.setattr(wake_ups, "publisher", Publisher(1))
    skipped, published = counted("skipped"), counted("published")
    for _ in range(3):
        assert api.post("/orders", ORDER, headers={"Prefer": "respond-async"}).status_code == 202
    released.set()
    wake_ups.publisher.flush(TIMEOUT)
    assert counted("skipped") - skipped >= 1
    assert counted("skipped") - skipped + counted("published") - published == 3


@pytest.mark.any_database
def test_an_order_is_accepted_although_the_system_refuses_the_thread_that_publishes(leave, api, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    published = counted("published")
    with monkeypatch.context() as full:
        full.setattr(wake_ups, "Thread", refuse)
        assert api.post("/orders", ORDER, headers={"Prefer": "respond-async"}).status_code == 202
    leave()
    assert counted("published") == published + 2


@pytest.mark.any_database
def test_the_circuit_breaker_opens_when_rabbitmq_is_away_and_closes_when_it_is_back(leave, broker, settings, lines):
    settings.BROKER_URL = f"amqp://127.0.0.1:{free_port()}"
    failed, skipped, published = (counted(outcome) for outcome in ("failed", "skipped", "published"))
    leave(FAILURES + 2)
    assert (counted("failed"), counted("skipped")) == (failed + FAILURES, skipped + 2)
    assert [line["level"] for line in lines() if "RabbitMQ" in line["event"]] == ["warning"]
    assert sum("not published" in line["event"] for line in lines()) == FAILURES
    settings.BROKER_URL = broker.url
    wake_ups.publisher.breaker.reset_timeout = 0
    leave(2)
    assert counted("published") == published + 2
    assert [line["level"] for line in lines() if "RabbitMQ" in line["event"]] == ["warning", "info"]
    call_command("run_worker", once=True)
    assert set(Order.objects.values_list("status", flat=True)) == {"completed"}


@pytest.mark.any_database
def test_publishing_to_a_broker_that_accepts_connections_and_never_responds_fails(leave, settings):
    failed = counted("failed")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.BROKER_URL = f"amqp://127.0.0.1:{silent.getsockname()[1]}"
        leave()
    assert counted("failed") == failed + 1


@pytest.mark.any_database
def test_publishing_fails_while_the_broker_hangs_and_succeeds_once_it_responds(leave, broker):
    failed, published = counted("failed"), counted("published")
    leave()
    with broker.suspended():
        leave(2)
    leave()
    assert (counted("failed"), counted("published")) == (failed + 2, published + 2)


@pytest.mark.any_database
def test_a_message_that_kills_its_workers_is_dropped(leave, broker):
    leave()
    deliveries = 0
    with broker.connect() as amqp, amqp.channel() as channel:
        while message := channel.basic_get("orchestration.commands"):
            deliveries += 1
            channel.basic_reject(message.delivery_tag, requeue=True)  # as Celery does when a process has died
    assert deliveries == DELIVERY_LIMIT + 1


@pytest.mark.any_database
def test_a_process_that_is_forked_publishes_what_waits_before_it_ends(broker):
    script = f"""
import functools, multiprocessing, uuid, django
django.setup()
from sagas.engine.wake_ups import publisher

publisher.flush = functools.partial(publisher.flush, {TIMEOUT})

def work():
    for _ in range(3):
        publisher.publish("orchestration", uuid.uuid4())

work()
publisher.flush()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""
    env = {"DATABASE_URL": "sqlite://:memory:", "DJANGO_SETTINGS_MODULE": "cloudmart.settings"}
    run_python("-c", script, env={**env, "BROKER_URL": broker.url})
    assert broker.messages()["orchestration.commands"] == 6


# --- The task -------------------------------------------------------------------------------------


@STYLES
def test_the_task_resumes_a_saga(woken, style):
    order_id = start(style).order_id
    recover(str(order_id))
    assert status_of(order_id) == "completed"


@STYLES
def test_a_second_message_loses_at_the_lease(woken, style, monkeypatch):
    charge, order_id = MockGateway.charge, start(style).order_id

    def receive_the_message_again(*args, **kwargs):
        recover(str(order_id))
        return charge(*args, **kwargs)

    monkeypatch.setattr(MockGateway, "charge", receive_the_message_again)
    before = tasks(style)
    recover(str(order_id))
    recover(str(order_id))
    assert tasks(style) == before | {outcome: before[outcome] + 1 for outcome in ("lost", "recovered", "finished")}
    assert [method for method, _ in gateway().diary] == ["charge"]


@pytest.mark.any_database
@pytest.mark.parametrize("order_id", ["0193b0c4-0000-7000-8000-000000000000", "0", "'; DROP TABLE orders"])
def test_the_message_of_an_unknown_order_is_processed(woken, order_id, lines):
    recover(order_id)
    assert [line["event"] for line in lines() if "task recover: unknown" in line["event"]]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("error", "level"), [(RuntimeError("a mistake"), "error"), (OperationalError(2006), "warning")]
)
def test_a_task_that_fails_is_processed_too(woken, monkeypatch, error, level, lines):
    def fail(*args):
        raise error

    order_id = start().order_id
    before = tasks("orchestration")
    monkeypatch.setattr(type(engine), "recover", fail)
    recover(str(order_id))
    assert tasks("orchestration") == before | {"failed": before["failed"] + 1}
    assert level in {line["level"] for line in lines()}


@pytest.mark.any_database
def test_a_task_that_finds_a_database_without_the_right_to_write_leaves_no_connection_to_it(woken, monkeypatch):
    order_id, used = start().order_id, []

    def refuse(*args):
        used.append(connection.connection)
        raise OperationalError(1290, "read-only")

    monkeypatch.setattr(type(engine), "recover", refuse)
    for _ in range(2):
        recover(str(order_id))
    assert used[0] is not used[1]


@pytest.mark.any_database
def test_a_task_replaces_a_connection_that_is_too_old_and_forgets_the_secrets_of_the_task_before(woken):
    order_id, before = start().order_id, connection.connection
    connection.close_at = 0
    register_secret("tok_of_another_order")
    recover(str(order_id))
    assert connection.connection is not before and status_of(order_id) == "completed"
    assert redacted("tok_of_another_order") == "tok_of_another_order"


def tasks(style):
    """Returns how many tasks have ended in each way."""
    outcomes = ("recovered", "lost", "finished", "failed")
    found = {each: {"style": style, "outcome": each} for each in outcomes}
    return {each: REGISTRY.get_sample_value("cloudmart_tasks_total", labels) or 0 for each, labels in found.items()}


# --- Without RabbitMQ -----------------------------------------------------------------------------


@pytest.mark.any_database
def test_without_a_broker_nothing_of_celery_is_imported():
    check = "import sys, cloudmart.urls; print({'celery', 'kombu', 'pybreaker'} & set(sys.modules))"
    env = {"PATH": "", "DATABASE_URL": "sqlite://:memory:"}
    assert run_python("manage.py", "shell", "--command", check, env=env).stdout.splitlines()[-1] == "set()"
