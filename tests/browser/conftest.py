"""Chromium, a server over the tests' database, and the sandbox as its providers."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from knox.models import get_token_model
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright

from orders.models import Customer
from tests.browser.desk import Desk
from tests.browser.faults import Console
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.factories import UserFactory
from tests.processes import database_url, free_port, serving
from tests.sandbox import RunningSandbox

expect.set_options(timeout=15_000)

CHROMIUM: dict[str, Any] = {
    "executable_path": shutil.which("chromium"),
    "args": ["--no-sandbox"] if os.geteuid() == 0 else [],
}
"""How it is started. It refuses to sandbox its own processes for root."""

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Runs Debian's Chromium.

    Playwright runs an event loop in this thread, which Django would take for asynchronous code. So Django does not
    check that until the block ends, and neither does a server that is started in it.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield playwright.chromium.launch(**CHROMIUM)


@pytest.fixture(scope="session")
def chromium(site: str) -> Iterator[Browser]:
    """The browser, which starts after the server."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def site(django_db_setup: None, sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over the tests' database, whose providers are the sandbox."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "TMPDIR": str(tmp_path_factory.mktemp("server")),
        "PAYMENT_GATEWAY": HTTP_GATEWAY,
        "PAYMENT_GATEWAY_URL": f"{sandbox.url}/payments",
        "CARRIER": HTTP_CARRIER,
        "CARRIER_URL": f"{sandbox.url}/carrier",
        "PROVIDER_BACKOFF": "0",
        "ATTENTION_AFTER": "2",
        "AUDIT_GRACE": "600",
        "HTTPS": "false",
        "LOG_LEVEL": "ERROR",
        "THROTTLE_USERS": "",
        "THROTTLE_STRANGERS": "",
        "WEB_WORKERS": "1",
    }
    with serving(port, environment):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def open_window(chromium: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Opens a window of its own session. The test fails if a page in it has an error in its console."""
    contexts: list[BrowserContext] = []
    consoles: list[Console] = []

    def open_window(user: Any = None, **options: Any) -> Page:
        context = chromium.new_context(**{"base_url": site, "viewport": DESKTOP, "locale": "en-GB", **options})
        contexts.append(context)
        if user is not None:
            context.add_cookies([{"name": "sessionid", "value": session_of(user), "url": site}])
        page = context.new_page()
        consoles.append(Console(page))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert not [error for console in consoles for error in console.take()]


@pytest.fixture
def desk(open_window: Callable[..., Page], operator: Any) -> Desk:
    """The admin, for an operator who may do everything."""
    return Desk(open_window(operator))


@pytest.fixture
def customer(transactional_db: None) -> Customer:
    return Customer.objects.create(
        id="customer-001",
        user=UserFactory(username="tanaka"),
        name="田中太郎",
        email="tanaka@example.com",
        postal_code="150-0001",
        address="東京都渋谷区神宮前1-2-3",
    )


@pytest.fixture
def place(api: Any, outside: RunningSandbox, settings: Any) -> Callable[..., str]:
    """Places an order for one copy of book-123, and returns its id."""
    settings.ATTENTION_AFTER, settings.SAGA_BACKOFF = 2, timedelta(minutes=5)

    def place(**more: Any) -> str:
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", **more}
        return str(api.post("/orders", body).json()["order_id"])

    return place


def session_of(user: Any) -> str:
    """Signs the user in, and returns the key of the session."""
    client = Client()
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


def signed_token(user: Any) -> str:
    """Returns a new API token of the user."""
    return str(get_token_model().objects.create(user=user)[1])


def open_drawn(page: Page, path: str) -> Response | None:
    """Opens the page, and waits until Alpine has drawn it and Swagger UI has listed the operations."""
    response = page.goto(path)
    expect(page.locator("[x-cloak]")).to_have_count(0)
    if page.locator("#swagger-ui").count():
        page.locator(".opblock").first.wait_for()
    return response
