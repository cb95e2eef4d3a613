"""A token in a URL appears in no log line."""

import logging
import os

import pytest
from django.test import Client

from cloudmart.kernel.redaction import forget_secrets, redacted
from tests.integration.test_server import request
from tests.processes import TIMEOUT, free_port, run_python, serving

pytestmark = pytest.mark.any_database

TOKEN = "0123456789abcdef" * 4
SECRET = "hunter2-and-more"
URLS = [
    f"/orders?access_token={TOKEN}",
    f"/orders?token={SECRET}&page_size=1",
    f"/orders/{TOKEN}",
    f"/nothing/{TOKEN}?token={SECRET}",
    f"/nothing%3Ftoken={SECRET}",
    f"/admin/login/?next=/admin/&token={SECRET}",
    f"/healthz?token={SECRET}",
    f"/schema?token={SECRET}",
    f"/static/nothing.css?token={SECRET}",
]


def assert_no_secret_in(logged):
    assert TOKEN not in logged and SECRET not in logged


@pytest.mark.parametrize("url", URLS)
def test_a_request_is_logged_without_the_token_in_its_url(api, lines, caplog, url):
    caplog.set_level(logging.INFO)
    api.get(url)
    assert any(line["event"] == "request" for line in lines())
    assert_no_secret_in(str(lines()))


def test_the_path_is_logged_without_the_token(api, lines):
    api.get(f"/orders/{TOKEN}")
    assert [line["path"] for line in lines()] == ["/orders/***"]


def test_an_unexpected_error_is_logged_without_the_token(api, lines, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError(f"while handling http://shop.example/orders/{TOKEN}?token={SECRET}")

    monkeypatch.setattr("orders.views.find_order", fail)
    api.raise_request_exception = False
    response = api.get(f"/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2?token={SECRET}")
    assert response.status_code == 500
    assert any("ZeroDivisionError" in line.get("exception", "") for line in lines())
    assert_no_secret_in(str(lines()))


def test_a_rejected_foreign_form_is_logged_without_the_token(db, lines):
    """Django logs the Referer of the form."""
    browser = Client(enforce_csrf_checks=True)
    browser.get("/admin/login/", secure=True)
    elsewhere = {"Referer": f"https://elsewhere.example/?token={SECRET}"}
    form = {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value}
    assert browser.post("/admin/login/", form, headers=elsewhere, secure=True).status_code == 403
    assert any("elsewhere.example" in line["event"] for line in lines())
    assert_no_secret_in(str(lines()))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no secret? none=at all", "no secret? none=at all"),
        ("GET /a?b=1&c=2#d", "GET /a?b=***&c=***#d"),
        ("url='http://h/p?token=x y'", "url='http://h/p?token=*** y'"),
        ("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2", "/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2"),
        (TOKEN, "***"),
        (f"token_{TOKEN.upper()}.", "token_***."),
        (f"{TOKEN}0", f"{TOKEN}0"),
    ],
)
def test_what_is_redacted(text, left):
    forget_secrets()
    assert redacted(text) == left


@pytest.mark.slow
def test_the_server_logs_no_token(tmp_path):
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.sqlite3",
        "TMPDIR": str(tmp_path),
        "HTTPS": "false",
        "LOG_LEVEL": "DEBUG",
        "WEB_WORKERS": "1",
    }
    run_python("manage.py", "migrate", "--verbosity", "0", env=environment)
    port = free_port()
    with serving(port, environment) as server:
        for url in URLS:
            request(port, "GET", url)
        server.terminate()
        server.wait(timeout=TIMEOUT)
        logged = server.log
    assert logged.count('"event": "request"') >= len(URLS) - 1, "all but the static file"
    assert_no_secret_in(logged)
