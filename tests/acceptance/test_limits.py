"""How much, how often, and from whom."""

import os
import subprocess
import sys

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY, signed_in
from tests.factories import CustomerFactory, UserFactory


def test_a_user_who_asks_too_often_is_told_when_to_come_back(api, rates):
    rates(user="3/min")
    assert [api.get("/orders").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = api.get("/orders")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert answer.json()["code"] == "throttled" and answer["Content-Type"] == "application/problem+json"
    other = signed_in(CustomerFactory(id="customer-002").user)
    assert other.get("/orders").status_code == 200, "each is counted alone"


@pytest.mark.parametrize("header", [{}, {"HTTP_AUTHORIZATION": "Bearer nonsense"}])
def test_a_stranger_who_keeps_knocking_is_turned_away(api, rates, header):
    rates(anon="3/min")
    stranger = APIClient()
    stranger.credentials(**header)
    answers = [stranger.get("/orders", headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1]["Retry-After"]
    assert api.get("/orders").status_code == 200, "who is known comes in"


def test_a_body_that_is_too_large_is_not_read(api, settings):
    settings.MAX_BODY_SIZE = 100
    answers = [api.post("/orders", {"coupon": "x" * 100}), Client().post("/admin/login/", {"username": "x" * 100})]
    for answer in answers:
        assert answer.status_code == 413 and answer.json()["code"] == "body_too_large"


def test_a_body_of_untold_length_is_not_taken_for_an_empty_one(api):
    answer = api.generic("POST", "/orders", headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411 and answer.json()["code"] == "length_required"


def test_the_admin_locks_out_who_guesses_passwords(transactional_db, settings):
    settings.AXES_FAILURE_LIMIT = 3
    UserFactory(username="boss", is_staff=True).set_password("right")
    guesses = [
        Client().post("/admin/login/", {"username": "boss", "password": f"guess {number}"}).status_code
        for number in range(4)
    ]
    assert guesses == [200, 200, 429, 429]


def test_behind_a_proxy_it_is_the_guesser_who_is_locked_out(transactional_db, settings):
    settings.AXES_FAILURE_LIMIT = 2
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    def guess(forwarded_for):
        form = {"username": "boss", "password": "a guess"}
        return Client().post("/admin/login/", form, headers={"X-Forwarded-For": forwarded_for}).status_code

    assert [guess("10.0.0.1") for _ in range(2)] == [200, 429]
    assert guess("10.0.0.2") == 200, "another address is not locked out with it"
    assert guess("10.0.0.9, 10.0.0.1") == 429, "what the guesser writes before the proxy is not believed"


PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(60)),
    "DATABASE_URL": "mysql://shop:secret@127.0.0.1:1/shop",
    "ALLOWED_HOSTS": "shop.example.com",
    "PAYMENT_GATEWAY": HTTP_GATEWAY,
    "CARRIER": HTTP_CARRIER,
}


def checked(**changes):
    """`manage.py check --deploy` with production settings."""
    environment = {**os.environ, "ENV_FILE": os.devnull, **PRODUCTION, **changes}
    environment.pop("HTTPS", None)
    environment = {name: value for name, value in environment.items() if value}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_production_settings_pass_every_check():
    result = checked()
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"SECRET_KEY": ""}, "Set the SECRET_KEY environment variable"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"DEBUG": "true"}, "security.W018"),
        ({"DATABASE_URL": "sqlite://:memory:"}, "cloudmart.W001"),
        ({"PAYMENT_GATEWAY": ""}, "cloudmart.E008) PAYMENT_GATEWAY is a mock"),
        ({"PAYMENT_GATEWAY": "tests.integration.test_reconciliation.OpenGateway"}, "cloudmart.E008"),
        ({"CARRIER": ""}, "cloudmart.E008) CARRIER is a mock"),
    ],
)
def test_what_is_not_fit_for_production_is_said(changes, complaint):
    result = checked(**changes)
    assert result.returncode == 1 and complaint in result.stderr
