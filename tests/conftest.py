"""The shop that tests play in: real commits, mock providers, no pauses between tries."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache as cache_result
from typing import Any

import httpcore
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import timezone
from knox.models import get_token_model
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from whitenoise.middleware import WhiteNoiseMiddleware

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address, Line, OrderSnapshot, Totals
from cloudmart.logs import formatter
from cloudmart.providers.odd_texts import ANY
from inventory.models import InventoryRecord
from inventory.selectors import inventory_of
from orders.models import Customer, SagaStyle
from payments.gateways.port import gateway
from sagas.engine import wake_ups
from shipping.carriers.port import carrier
from tests.committed import add_stock
from tests.emptying import empty, price_rules, restore, tables_to_empty
from tests.factories import BookFactory, CustomerFactory, UserFactory
from tests.mail_server import Mailbox, running_mail_server
from tests.processes import TIMEOUT
from tests.rabbitmq import RabbitMQ, running_rabbitmq
from tests.redis_server import RedisServer, cache_in, running_redis
from tests.sandbox import RunningSandbox, run_sandbox

os.environ.setdefault("PROVIDER_TEXTS", ANY)
"""The providers of every test, also those in other processes, say what they say in every odd way."""

HTTP_GATEWAY = "payments.gateways.http.HttpGateway"
HTTP_CARRIER = "shipping.carriers.http.HttpCarrier"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is the same on any database, unless this is the suite on SQLite."""
    if connection.vendor != "sqlite":
        left_out = [item for item in items if item.get_closest_marker("any_database")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("any_database")]


@pytest.fixture(scope="session", autouse=True)
def quick_flush(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        tables, rules = tables_to_empty(), price_rules()

    def teardown(test: TransactionTestCase) -> None:
        empty(tables)
        restore(rules)

    TransactionTestCase._fixture_teardown = teardown


@pytest.fixture(scope="session", autouse=True)
def static_files_are_listed_once() -> None:
    """Every test client has a middleware of its own, which would list all static files again."""
    files = WhiteNoiseMiddleware().files
    WhiteNoiseMiddleware.add_files_from_finders = lambda self: self.files.update(files)


@pytest.fixture(scope="session", autouse=True)
def certificates_are_loaded_once() -> None:
    """Every client of a provider loads them, which takes longer than an order."""
    httpcore.default_ssl_context = cache_result(httpcore.default_ssl_context)


@pytest.fixture(autouse=True)
def plain_http_without_throttles(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SECURE_SSL_REDIRECT = False
    for scope in ("user", "anon"):
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, None)


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets how often users and strangers may ask."""

    def rates(**rates: str) -> None:
        cache.clear()
        for scope, rate in rates.items():
            monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, rate)

    return rates


@pytest.fixture(autouse=True)
def fresh_providers(settings: Any) -> None:
    settings.PROVIDER_BACKOFF = 0
    settings.ALLOW_MAGIC_TOKENS = True
    settings.PROVIDER_TEXTS = os.environ["PROVIDER_TEXTS"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    gateway.cache_clear()
    carrier.cache_clear()


@pytest.fixture(autouse=True)
def grace_for_missing_workers(settings: Any) -> None:
    """No worker runs beside most tests. What one should have done by now is no finding, however long a test takes."""
    settings.AUDIT_GRACE = timedelta(minutes=10)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A payment gateway and a carrier, over HTTP."""
    with run_sandbox(tmp_path_factory.mktemp("sandbox") / "ledger.sqlite3") as running:
        yield running


@pytest.fixture
def outside(sandbox: RunningSandbox, settings: Any) -> Iterator[RunningSandbox]:
    """The sandbox, with no knob turned: that is what CloudMart asks."""
    settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY_URL = HTTP_GATEWAY, f"{sandbox.url}/payments"
    settings.CARRIER, settings.CARRIER_URL = HTTP_CARRIER, f"{sandbox.url}/carrier"
    for provider in ("payments", "carrier"):
        sandbox.turn(provider)
    yield sandbox
    gateway().client.close()  # type: ignore[attr-defined]
    carrier().client.close()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    """A mail server, by its mailbox and port."""
    mailbox = Mailbox()
    with running_mail_server(mailbox) as port:
        yield mailbox, port


@pytest.fixture
def mailbox(mail_server: tuple[Mailbox, int], settings: Any) -> Mailbox:
    """The empty mailbox of a mail server that accepts everything: that is where CloudMart sends its mails."""
    mailbox, port = mail_server
    mailbox.reset()
    send_mails_to(port, settings)
    return mailbox


def send_mails_to(port: int, settings: Any) -> None:
    """Has this process send its mails to a mail server on this port."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_cache(redis: RedisServer, settings: Any) -> Iterator[Any]:
    """The cache of CloudMart, which is in Redis and empty."""
    with cache_in(redis, settings) as cache:
        yield cache


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture
def broker(rabbitmq: RabbitMQ, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitMQ]:
    """RabbitMQ with empty queues, to which this process publishes. Its publisher has no connection yet."""
    rabbitmq.purge()
    settings.BROKER_URL = rabbitmq.url
    monkeypatch.setattr(wake_ups, "publisher", wake_ups.Publisher())
    yield rabbitmq
    wake_ups.publisher.flush(TIMEOUT)


@pytest.fixture
def customer(transactional_db: None) -> Customer:
    return CustomerFactory(id="customer-001")


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return UserFactory(username="operator", is_staff=True, is_superuser=True)


def signed_in(user: Any) -> APIClient:
    """A client of the API with this user's token."""
    _, token = get_token_model().objects.create(user=user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def desk(operator: Any) -> APIClient:
    """An operator's client of the API."""
    return signed_in(operator)


@pytest.fixture
def site(operator: Any) -> Client:
    """An operator's browser, signed in to the admin."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def api(customer: Customer) -> APIClient:
    """The customer's client."""
    return signed_in(customer.user)


@pytest.fixture
def shelve(transactional_db: None) -> Callable[..., None]:
    """Puts so many copies of a new book on the shelf."""

    def shelve(book_id: str, copies: int, price: int = 1000) -> None:
        InventoryRecord.objects.create(book=BookFactory(id=book_id, price=price))
        if copies:
            add_stock(book_id, copies)

    return shelve


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What has been logged so far, as the server writes it."""
    written: list[str] = []

    class Memory(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    memory = Memory()
    memory.setFormatter(formatter())
    logging.getLogger().addHandler(memory)
    yield lambda: [json.loads(line) for line in written]
    logging.getLogger().removeHandler(memory)


def available(book_id: str) -> int:
    return int(inventory_of(book_id)["available_quantity"])


def order_snapshot(*lines: tuple[str, int], style: str = SagaStyle.ORCHESTRATION, **changes: Any) -> OrderSnapshot:
    """An order as the services know it, at 1000 a copy and 10 % tax."""
    subtotal = sum(quantity for _, quantity in lines) * 1000
    given: dict[str, Any] = {
        "order_id": new_id(),
        "customer_id": "customer-001",
        "lines": tuple(Line(book_id, book_id.title(), 1000, quantity) for book_id, quantity in lines),
        "totals": Totals(subtotal, 0, subtotal // 10, subtotal + subtotal // 10),
        "coupon": "",
        "payment_method": "credit_card",
        "payment_token": "",
        "address": Address("150-0001"),
        "saga_style": style,
        "placed_at": timezone.now(),
        "placed_by": changes.get("customer_id", "customer-001"),
    }
    return OrderSnapshot(**{**given, **changes})
