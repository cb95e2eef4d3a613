"""Every request has an id: in its answer, in problem answers, and in all its log lines."""

import logging

import pytest
from rest_framework.test import APIClient

from tests.conftest import signed_in

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize("given", ["a", "A-1._z", "01a1fc13-06f4-71f7-ac05-df3857a063f2", "x" * 64])
def test_a_sane_id_is_taken_and_echoed(api, given):
    assert api.get("/orders", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", " ", "x" * 65, "a b", "a\n", "é", "a,b", '"'])
def test_any_other_id_is_replaced(api, given):
    made = api.get("/orders", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made and made != given.strip()


@pytest.mark.parametrize("path", ["/orders", "/nothing", "/admin/login/", "/admin/", "/static/nothing.css"])
def test_every_answer_has_an_id_of_its_own(db, path):
    first, second = (APIClient().get(path)["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_host_that_is_not_ours_gets_an_id_too(db):
    refused = APIClient().get("/orders", headers={"Host": "elsewhere.example"})
    assert refused.status_code == 400 and refused.json()["request_id"] == refused["X-Request-ID"]


def test_every_problem_answer_has_it(api):
    for path, status in (("/nothing", 404), ("/orders/1", 404), ("/inventory/none", 404), ("/saga/start", 405)):
        refused = api.get(path, headers={"X-Request-ID": "mine"})
        assert refused.status_code == status and refused.json()["request_id"] == "mine"
    refused = APIClient().get("/orders")
    assert refused.status_code == 401 and refused.json()["request_id"] == refused["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "fails"),
    [
        ("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2", "orders.views.find_order"),
        ("/admin/login/", "django.contrib.auth.views.LoginView.get"),
    ],
)
def test_an_unforeseen_error_has_it_as_its_error_id(api, monkeypatch, lines, path, fails):
    def burst(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(fails, burst)
    api.raise_request_exception = False
    answer = api.get(path, headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer["X-Request-ID"]) == (500, "mine")
    assert answer.json()["error_id"] == answer.json()["request_id"] == "mine"
    traces = [line for line in lines() if "ZeroDivisionError" in line.get("exception", "")]
    assert traces and all(line["request_id"] == "mine" for line in traces)


def test_a_request_leaves_one_line_that_tells_no_secret(api, customer, lines):
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


def test_a_refusal_leaves_one_line_too(api, lines):
    for path in ("/nothing", "/orders/1?token=hidden"):
        api.get(path)
    assert [(line["status"], line["path"]) for line in lines()] == [(404, "/nothing"), (404, "/orders/1")]


def test_the_log_asks_no_question_of_its_own(operator, client, lines, django_assert_num_queries):
    client.force_login(operator)
    with django_assert_num_queries(0):
        assert client.get("/nothing").status_code == 404
    client.get("/admin/")
    assert [line["user_id"] for line in lines() if line["event"] == "request"] == [None, operator.pk]
    assert signed_in(operator).get("/orders").status_code == 200
    assert lines()[-1]["user_id"] == operator.pk


def test_what_the_libraries_log_has_the_id(api, lines, monkeypatch):
    def shout(*args, **kwargs):
        logging.getLogger("some.library").warning("%s copies", 3)
        raise ZeroDivisionError

    monkeypatch.setattr("orders.views.find_order", shout)
    api.get("/orders/01a1fc13-06f4-71f7-ac05-df3857a063f2", headers={"X-Request-ID": "mine"})
    (shouted,) = [line for line in lines() if line["logger"] == "some.library"]
    assert (shouted["event"], shouted["level"], shouted["request_id"]) == ("3 copies", "warning", "mine")
