"""The Python client with a server, in both styles; and what its README shows."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import monotonic

import httpx
import pytest
from cloudmart_client import CloudMart, Retries, webhooks
from cloudmart_client.models import OrderCompletedEvent
from cloudmart_client.problems import (
    AuthenticationFailed,
    EndpointNotFound,
    Invalid,
    OutOfStock,
    PaymentDeclined,
    UnknownCoupon,
)
from django.core.management import call_command
from knox.models import get_token_model
from standardwebhooks.webhooks import Webhook

from cloudmart.kernel.ids import new_id
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from cloudmart.webhooks.recording import receive
from cloudmart.webhooks.sending import Sender
from orders.models import Order
from payments.models import Payment
from tests.acceptance.conftest import decline_of
from tests.cutting_proxy import CuttingProxy
from tests.processes import ROOT, database_url, free_port, running_command, serving
from tests.receivers import running_receiver

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

README = (ROOT / "clients" / "python" / "README.md").read_text()
SNIPPETS = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"print\(.*\)  # (.*)$", re.MULTILINE)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICKLY = Retries(first_pause=0.05)


@pytest.fixture(scope="module")
def port(django_db_setup, tmp_path_factory):
    """The port of a server over the tests' database."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "TMPDIR": str(tmp_path_factory.mktemp("server")),
        "PROVIDER_BACKOFF": "0",
        "HTTPS": "false",
        "LOG_LEVEL": "ERROR",
        "THROTTLE_USERS": "",
        "WEB_WORKERS": "1",
        "WEBHOOK_PRIVATE_ADDRESSES": "true",
    }
    with serving(port, environment):
        yield port


def token_of(user):
    _, token = get_token_model().objects.create(user=user)
    return token


@pytest.fixture
def shop(port, customer):
    """A customer's client."""
    with CloudMart(f"http://127.0.0.1:{port}", token_of(customer.user)) as shop:
        yield shop


@pytest.fixture
def desk(port, operator):
    """An operator's client."""
    with CloudMart(f"http://127.0.0.1:{port}", token_of(operator)) as desk:
        yield desk


@pytest.fixture
def worker(transactional_db):
    with running_command("run_worker") as worker:
        yield worker


class Counting(httpx.HTTPTransport):
    """Counts the requests."""

    count = 0

    def handle_request(self, request):
        self.count += 1
        return super().handle_request(request)


class UnavailableOnce(Counting):
    """Responds 503 after the server has carried the first request out."""

    def handle_request(self, request):
        response = super().handle_request(request)
        if self.count > 1:
            return response
        response.close()
        return httpx.Response(503, headers={"Retry-After": "0"})


def book(quantity=1):
    return {"book_id": "book-123", "quantity": quantity}


def test_an_order_is_placed_read_and_cancelled(shop, shelve, style):
    shelve("book-123", 5)
    order = shop.orders.place([book(2)], saga=style)
    assert (order.status, order.saga_status, order.total) == ("completed", "COMPLETED", 2200)
    assert shop.inventory.get("book-123").available_quantity == 3
    assert shop.payments.get(order).amount == 2200 and shop.shipping.get(order).status == "arranged"
    assert shop.orders.get(order).parcel.carrier == "mock"
    cancelled = shop.orders.cancel(order, reason="Ordered twice")
    assert (cancelled.status, cancelled.cancel_reason) == ("cancelled", "Ordered twice")
    assert shop.payments.get(order).status == "refunded" and shop.inventory.get("book-123").available_quantity == 5
    entries = [entry.event_type for entry in shop.orders.timeline(order)]
    assert entries[0] == "OrderCreated" and entries[-1] == "OrderCancelled"


def test_an_order_is_waited_for_until_a_worker_has_finished_it(port, customer, shelve, style, worker):
    shelve("book-123", 5)
    url, token, counting = f"http://127.0.0.1:{port}", token_of(customer.user), Counting()
    with CloudMart(url, token, transport=counting) as shop:
        order = shop.orders.place([book()], saga=style, respond_async=True)
        assert order.status == "pending"
        began = monotonic()
        finished = shop.orders.wait_until_finished(order)
        requests, seconds = counting.count - 1, monotonic() - began
        assert requests <= 1 + seconds / 5, "the server waits for up to ten seconds in each of them"
        assert finished.status == "completed" and finished.parcel
        saga = shop.sagas.status(order)
    assert (saga.style, saga.status, saga.failure) == (style, "COMPLETED", None)
    assert not saga.events or saga.events[0].payload.total_amount == 1100


def test_an_order_that_fails_later_is_cancelled_and_says_why(shop, shelve, style, worker):
    shelve("book-123", 5)
    order = shop.orders.place([book()], saga=style, payment_token="tok_insufficient_funds", respond_async=True)
    assert shop.orders.wait_until_finished(order).status == "cancelled"
    failure = shop.sagas.status(order).failure
    assert {"code": failure.code, "detail": failure.detail, **failure.more} == decline_of("tok_insufficient_funds")


def test_a_refusal_is_raised_as_what_it_is(shop, shelve, style):
    shelve("book-123", 1)
    with pytest.raises(OutOfStock) as refusal:
        shop.orders.place([book(2)], saga=style)
    assert refusal.value.body["shortages"] == [{"book_id": "book-123", "requested": 2, "available": 1}]
    with pytest.raises(PaymentDeclined) as declined:
        shop.orders.place([book()], saga=style, payment_token="tok_insufficient_funds")
    assert shop.orders.get(declined.value.order_id).status == "cancelled"
    with pytest.raises(UnknownCoupon):
        shop.orders.place([book()], saga=style, coupon="NONE")
    with pytest.raises(Invalid) as invalid:
        shop.orders.place([book(0)], saga=style)
    assert invalid.value.errors[0].field == "items.0.quantity"


def test_a_wrong_token_is_refused(port, transactional_db):
    with CloudMart(f"http://127.0.0.1:{port}", "wrong") as stranger, pytest.raises(AuthenticationFailed):
        next(stranger.orders.list())


def test_a_draft_is_filled_and_confirmed(shop, shelve, style):
    shelve("book-123", 10)
    shelve("book-456", 5)
    draft = shop.drafts.open(saga=style, coupon="WELCOME10")
    shop.drafts.add(draft, "book-123", 1)
    shop.drafts.set_quantity(draft, "book-123", 3)
    assert shop.drafts.add(draft, "book-456", 1).items[1].held_until > datetime.now(UTC)
    assert [item.book_id for item in shop.drafts.remove(draft, "book-456").items] == ["book-123"]
    assert shop.drafts.change(draft, remove_coupon=True, payment_method="e_money").coupon == ""
    shop.drafts.extend(draft)
    confirmed = shop.drafts.confirm(draft)
    assert (confirmed.status, confirmed.saga, confirmed.payment_method) == ("completed", style, "e_money")
    discarded = shop.drafts.open()
    shop.drafts.delete(discarded)
    again = shop.orders.order_again(confirmed)
    assert again.items[0].quantity == 3 and not again.left_out


def test_a_list_of_several_pages_is_read_as_one(shop, shelve):
    shelve("book-123", 50)
    placed = [shop.orders.place([book()]).order_id for _ in range(5)]
    assert [order.order_id for order in shop.orders.list(page_size=2)] == placed[::-1]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert len(list(shop.orders.list(page_size=2, created_from=yesterday, status="completed"))) == 5
    assert not list(shop.orders.list(created_to=yesterday))
    for number in range(3):
        shelve(f"book-{number}", number)
    assert {each.book_id for each in shop.books.list(page_size=2)} == {"book-123", "book-0", "book-1", "book-2"}
    call_command("run_worker", once=True)  # projects the stock that the list shows
    assert {each.book_id for each in shop.inventory.list(page_size=2, in_stock=True)} == {
        "book-123",
        "book-1",
        "book-2",
    }


def test_operators_keep_the_shop(desk, shop, shelve, style):
    desk.books.create("book-123", title="Sagas", price=1000, quantity=1, low_stock_threshold=3)
    assert desk.books.change("book-123", price=1200, remove_threshold=True).low_stock_threshold is None
    desk.inventory.add("book-123", 2, reference="delivery-1")
    desk.inventory.adjust("book-123", -1, reason="A torn copy")
    order = shop.orders.place([book()], saga=style)
    assert [event.type for event in desk.inventory.events("book-123")][-1] == "StockAdded"
    desk.payments.refund(order, amount=100, reference="torn-page")
    assert shop.payments.get(order).refunds[0].amount == 100
    desk.orders.add_note(order, "A torn page")
    assert [note.text for note in desk.orders.notes(order)] == ["A torn page"]
    assert [saga.order_id for saga in desk.sagas.list(style=style)] == [order.order_id]
    assert desk.sagas.cancel(order, reason="Recalled").status == "FAILED"


def test_operators_charge_and_send_parcels_without_a_saga(desk):
    paid, unpaid = str(new_id()), str(new_id())
    charged = desk.payments.process(paid, 1200, "credit_card", payment_token="tok_visa", customer_id="tanaka")
    assert (charged.order_id, charged.amount, charged.status) == (paid, 1200, "captured")
    assert desk.payments.cancel(unpaid).status == desk.payments.get(unpaid).status == "cancelled"
    sent = desk.shipping.arrange(paid, {"postal_code": "150-0001", "address": "東京都渋谷区"}, customer_id="tanaka")
    assert sent.status == "arranged" and sent.tracking_number
    assert desk.shipping.cancel(paid).status == desk.shipping.get(paid).status == "cancelled"


def test_operators_reserve_books_and_read_the_reports(desk, shelve):
    shelve("book-123", 5)
    shelve("book-1", 1)
    held, released = str(new_id()), str(new_id())
    desk.inventory.reserve(held, [book(2)], expires_in=60)
    desk.inventory.reserve(released, [book(1)])
    desk.inventory.release(released)
    (reservation,) = desk.inventory.extend(held).reservations
    assert reservation.expires_at - datetime.now(UTC) > timedelta(seconds=60)
    report = desk.inventory.reservation_report()
    assert {each.status: each.copies for each in report.by_age} == {"active": 2, "released": 1}
    assert report.oldest.order_id == held
    call_command("run_worker", once=True)  # projects the movements
    (moved,) = desk.inventory.movements(book_id="book-123", page_size=1)
    assert (moved.added, moved.reserved, moved.released) == (5, 3, 1)
    days = {"first_day": moved.day, "last_day": moved.day}
    assert {each.book_id for each in desk.inventory.movements(**days, page_size=1)} == {"book-123", "book-1"}
    assert not list(desk.inventory.movements(first_day=moved.day + timedelta(days=1)))


def test_a_webhook_that_was_sent_is_verified(desk, shop, shelve, style, settings, tmp_path):
    shelve("book-123", 5)
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    with running_receiver(tmp_path) as receiver, closing(Sender()) as sender:
        endpoint = desk.webhook_endpoints.register(receiver.url(), event_types=["order.completed"])
        order = shop.orders.place([book()], saga=style)
        desk.webhook_endpoints.test(endpoint.endpoint_id)
        pass_on(Consumer.WEBHOOKS, receive)
        assert sender.send_due() == 2
    events = [webhooks.verify(each.body, each.headers, endpoint.secret) for each in receiver.accepted()]
    assert {event.type for event in events} == {"order.completed", "test"}
    (completed,) = [event for event in events if isinstance(event, OrderCompletedEvent)]
    assert (completed.data.order_id, completed.data.total) == (order.order_id, order.total)
    (delivery,) = desk.webhook_deliveries.list(subject=order.order_id)
    assert delivery.event_id == completed.id
    sent = {each.id: each.body for each in receiver.accepted()}
    assert desk.webhook_deliveries.get(delivery.delivery_id).body == sent[completed.id]


def test_operators_keep_webhook_endpoints(desk):
    endpoint = desk.webhook_endpoints.register("http://127.0.0.1:9/", description="Books")
    path = endpoint.endpoint_id
    assert desk.webhook_endpoints.rotate_secret(path).secret != endpoint.secret
    changed = desk.webhook_endpoints.change(path, event_types=["stock.low"], description="Stock")
    assert (changed.event_types, changed.description) == (["stock.low"], "Stock")
    assert desk.webhook_endpoints.disable(path, reason="Moves").disabled_reason == "Moves"
    assert not list(desk.webhook_endpoints.list(status="enabled"))
    assert desk.webhook_endpoints.enable(path).status == desk.webhook_endpoints.get(path).status == "enabled"
    test = desk.webhook_endpoints.test(path)
    assert [each.delivery_id for each in desk.webhook_deliveries.list(endpoint_id=path)] == [test.delivery_id]
    for _ in range(2):
        desk.webhook_endpoints.delete(path)
    with pytest.raises(EndpointNotFound):
        desk.webhook_endpoints.get(path)


@pytest.mark.parametrize("before", [True, False], ids=["request", "response"])
def test_an_order_whose_connection_is_cut_is_placed_once(port, customer, shelve, style, before):
    shelve("book-123", 5)
    proxy = CuttingProxy(port, lambda packet: packet.startswith(b"POST /orders"))
    proxy.arm(1, before=before)
    try:
        with CloudMart(f"http://127.0.0.1:{proxy.port}", token_of(customer.user), retries=QUICKLY) as shop:
            order = shop.orders.place([book()], saga=style)
            assert proxy.has_cut and order.status == "completed"
    finally:
        proxy.close()
    assert [str(each.pk) for each in Order.objects.all()] == [order.order_id] and Payment.objects.count() == 1


def test_an_order_after_a_503_is_placed_once(port, customer, shelve, style):
    shelve("book-123", 5)
    unavailable = UnavailableOnce()
    url, token = f"http://127.0.0.1:{port}", token_of(customer.user)
    with CloudMart(url, token, retries=QUICKLY, transport=unavailable) as shop:
        order = shop.orders.place([book()], saga=style)
    assert unavailable.count == 2 and str(Order.objects.get().pk) == order.order_id


def test_the_readme_shows_what_happens(port, customer, shelve, worker, monkeypatch, capsys):
    shelve("book-123", 50, price=3500)
    monkeypatch.setenv("CLOUDMART_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("CLOUDMART_TOKEN", token_of(customer.user))
    names = {}
    for snippet in SNIPPETS.findall(README):
        exec(snippet, names)  # noqa: S102
        expected, printed = PRINTED.findall(snippet), capsys.readouterr().out.splitlines()
        printed = [line for line in printed if not line.startswith("{")]
        assert printed == expected * (3 if "islice" in snippet else 1), snippet
    names["shop"].close()
    receive_webhooks(names["receive"], capsys)


def test_a_type_checker_accepts_what_the_readme_shows(tmp_path):
    (tmp_path / "shown.py").write_text("".join(SNIPPETS.findall(README)))
    options = ["--strict", "--config-file", "", "--cache-dir", tmp_path / "cache", tmp_path / "shown.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "clients" / "python" / "src")}
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def receive_webhooks(receive, capsys):
    """Gives the README's receiver a webhook twice, and one that is not signed."""
    body = json.dumps(example_of(EventType.ORDER_COMPLETED))
    now, processed = datetime.now(UTC), set()
    headers = {
        "webhook-id": "event-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("event-1", now, body),
    }
    for _ in range(2):
        assert receive(body.encode(), headers, [SECRET], processed) == 204
    assert receive(body.encode(), {}, [SECRET], processed) == 400
    assert len(processed) == 1 and capsys.readouterr().out.count(" 3850") == 1
