"""`manage.py listen` as a real process: it registers, verifies, prints, and leaves nothing behind."""

import json
import signal
from datetime import UTC, datetime

import httpcore
import pytest

from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from cloudmart.webhooks.models import WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.recording import receive, record_test
from cloudmart.webhooks.secrets import new_secret, signature_headers
from cloudmart.webhooks.sending import Sender
from tests.processes import TIMEOUT, free_port, listens, running_command, wait_until
from tests.receivers import running_receiver

pytestmark = [pytest.mark.any_database, pytest.mark.slow]

BOOK = "book-123"


@pytest.fixture(autouse=True)
def private_addresses(settings):
    settings.WEBHOOK_PRIVATE_ADDRESSES = True


@pytest.fixture
def sender():
    sender = Sender()
    yield sender
    sender.close()


def listening(*arguments):
    return running_command("listen", *arguments, WEBHOOK_PRIVATE_ADDRESSES="true")


def end(process, how=signal.SIGTERM):
    """Ends the process as an operator does, and returns what it has printed."""
    process.send_signal(how)
    printed, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    return printed


def post(port, secret, event):
    """Posts the event to the listener, signed with the secret. Returns the status of the response."""
    body = json.dumps(event)
    headers = signature_headers([secret], event["id"], datetime.now(UTC), body)
    return httpcore.request("POST", f"http://127.0.0.1:{port}/", headers=headers, content=body.encode()).status


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_the_webhooks_of_the_shop_and_removes_its_endpoint(api, shelve, sender, how):
    shelve(BOOK, 5)
    with listening() as process:
        wait_until(WebhookEndpoint.objects.exists)
        order_id = api.post("/orders", {"book_id": BOOK, "quantity": 1}).json()["order_id"]
        record_test(WebhookEndpoint.objects.get())
        pass_on(Consumer.WEBHOOKS, receive)
        wait_until(lambda: sender.send_due() == 0)
        assert list(WebhookDelivery.objects.values_list("status", flat=True)) == ["delivered"] * 2
        printed = end(process, how)
    assert f"order.completed  {order_id}" in printed and '"status": "completed"' in printed
    assert printed.count("\ntest  ") == 1
    assert not WebhookEndpoint.objects.exists() and not WebhookDelivery.objects.exists()


def test_with_a_secret_it_registers_nothing_and_refuses_what_is_not_signed_with_it(transactional_db):
    port, secret, event = free_port(), new_secret(), example_of(EventType.STOCK_LOW)
    with listening("--port", str(port), "--secret", secret) as process:
        wait_until(lambda: listens(port))
        statuses = [post(port, each, event) for each in (secret, new_secret(), secret)]
        assert not WebhookEndpoint.objects.exists()
        printed = end(process)
    assert statuses == [204, 401, 204]
    assert printed.count("stock.low  book-123") == 2 and printed.count("received before") == 1
    assert printed.count("Refused: ") == 1 and '"threshold": 3' in printed


def test_it_prints_the_chosen_types_and_forwards_all_that_arrive(transactional_db, tmp_path):
    port, secret = free_port(), new_secret()
    with running_receiver(tmp_path) as receiver:
        arguments = ("--port", str(port), "--secret", secret, "--events", "stock.low")
        with listening(*arguments, "--forward-to", receiver.url()) as process:
            wait_until(lambda: listens(port))
            events = [example_of(each) for each in (EventType.ORDER_COMPLETED, EventType.STOCK_LOW)]
            assert [post(port, secret, event) // 100 for event in events] == [2, 2]
            receiver.behave("error")
            assert post(port, secret, events[1]) == 500
            receiver.kill()
            assert post(port, secret, events[1]) == 502
            printed = end(process)
        assert [webhook.event for webhook in receiver.accepted()] == events
    assert "order.completed" not in printed and printed.count("stock.low  ") == 3


@pytest.mark.parametrize(
    "arguments",
    [("--events", "order.paid"), ("--forward-to", "localhost"), ("--port", "0", "--secret", "")],
)
def test_it_says_what_is_wrong_with_its_options(transactional_db, arguments):
    with running_command("listen", *arguments, WEBHOOK_PRIVATE_ADDRESSES="false") as process:
        process.communicate(timeout=TIMEOUT)
        assert process.returncode == 1 and not WebhookEndpoint.objects.exists()
