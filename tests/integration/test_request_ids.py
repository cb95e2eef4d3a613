"""Every request has an id, which is in its response, in problems, and in all its log lines."""

import logging

import pytest
from rest_framework.test import APIClient

from tests.conftest import signed_in

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize("given", ["a", "A-1._z", "01a1fc13-06f4-71f7-ac05-df3857a063f2", "x" * 64])
def test_a_valid_id_is_accepted_and_echoed(api, given):
    assert api.get("/orders", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", " ", "x" * 65, "a b", "a\n", "é", "a,b", '"'])
def test_an_invalid_id_is_replaced(api, given):
    made = api.get("/orders", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made and made != given.strip()


@pytest.mark.parametrize("path", ["/orders", "/nothing", "/admin/login/", "/admin/", "/static/nothing.css"])
def test_every_response_has_its_own_id(db, path):
    first, second = (APIClient().get(path)["X-Request-ID"] for _ in range(2))
    assert first != second


def test_the_response_to_an_unknown_host_has_an_id(db):
    refused = APIClient().get("/orders", headers={"Host": "elsewhere.example"})
    assert refused.status_code == 400 and refused.json()["request_id"] == refused["X-Request-ID"]


def test_every_problem_contains_the_id(api):
    for path, status in (("/nothing", 404), ("/orders/1", 404), ("/inventory/none", 404), ("/saga/start", 405)):
        refused = api.get(path, headers={"X-Request-ID": "mine"})
        assert refused.status_code == status and refused.json()["request_id"] == "mine"
    refused = APIClient().get("/orders")
    assert refused.status_code == 401 and refused.json()["request_id"] == refused["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "failing"),
    [
        ("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2", "orders.views.find_order"),
        ("/admin/login/", "django.contrib.auth.views.LoginView.get"),
    ],
)
def test_the_error_id_of_an_unexpected_error_is_the_request_id(api, monkeypatch, lines, path, failing):
    def fail(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(failing, fail)
    api.raise_request_exception = False
    response = api.get(path, headers={"X-Request-ID": "mine"})
    assert (response.status_code, response["X-Request-ID"]) == (500, "mine")
    assert response.json()["error_id"] == response.json()["request_id"] == "mine"
    traces = [line for line in lines() if "ZeroDivisionError" in line.get("exception", "")]
    assert traces and all(line["request_id"] == "mine" for line in traces)


def test_a_request_logs_one_line_without_secrets(api, customer, lines):
    api.get("/orders?status=completed", headers={"X-Request-ID": "mine"})
    (line,) = lines()
    assert line.pop("duration_ms") > 0 and line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "cloudmart.api.requests",
        "request_id": "mine",
        "method": "GET",
        "path": "/orders",
        "status": 200,
        "user_id": customer.user.pk,
    }


def test_a_failed_request_logs_one_line(api, lines):
    for path in ("/nothing", "/orders/1?token=hidden"):
        api.get(path)
    assert [(line["status"], line["path"]) for line in lines()] == [(404, "/nothing"), (404, "/orders/1")]


def test_logging_a_request_makes_no_query(operator, client, lines, django_assert_num_queries):
    client.force_login(operator)
    with django_assert_num_queries(0):
        assert client.get("/nothing").status_code == 404
    client.get("/admin/")
    assert [line["user_id"] for line in lines() if line["event"] == "request"] == [None, operator.pk]
    assert signed_in(operator).get("/orders").status_code == 200
    assert lines()[-1]["user_id"] == operator.pk


def test_log_lines_of_libraries_have_the_id(api, lines, monkeypatch):
    def log_and_fail(*args, **kwargs):
        logging.getLogger("some.library").warning("%s copies", 3)
        raise ZeroDivisionError

    monkeypatch.setattr("orders.views.find_order", log_and_fail)
    api.get("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2", headers={"X-Request-ID": "mine"})
    (line,) = [line for line in lines() if line["logger"] == "some.library"]
    assert (line["event"], line["level"], line["request_id"]) == ("3 copies", "warning", "mine")
