"""Limits on requests, bodies and logins, and the checks of production settings."""

import os
import subprocess
import sys

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY, signed_in
from tests.factories import CustomerFactory, UserFactory


def test_a_throttled_user_gets_retry_after(api, rates):
    rates(user="3/min")
    assert [api.get("/orders").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = api.get("/orders")
    assert 1 <= int(response["Retry-After"]) <= 80
    assert response.json()["code"] == "throttled" and response["Content-Type"] == "application/problem+json"
    other = signed_in(CustomerFactory(id="customer-002").user)
    assert other.get("/orders").status_code == 200, "each user is counted separately"


@pytest.mark.parametrize("header", [{}, {"HTTP_AUTHORIZATION": "Bearer nonsense"}])
def test_anonymous_requests_are_throttled_by_address(api, rates, header):
    rates(anon="3/min")
    client = APIClient()
    client.credentials(**header)
    responses = [client.get("/orders", headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(5)]
    assert [response.status_code for response in responses] == [401, 401, 401, 429, 429]
    assert responses[-1]["Retry-After"]
    assert api.get("/orders").status_code == 200, "authenticated users are not affected"


def test_a_body_that_is_too_large_is_rejected(api, settings):
    settings.MAX_BODY_SIZE = 100
    responses = [api.post("/orders", {"coupon": "x" * 100}), Client().post("/admin/login/", {"username": "x" * 100})]
    for response in responses:
        assert response.status_code == 413 and response.json()["code"] == "body_too_large"


def test_a_body_of_unknown_length_is_rejected(api):
    response = api.generic("POST", "/orders", headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411 and response.json()["code"] == "length_required"


def test_the_admin_locks_out_after_wrong_passwords(transactional_db, settings):
    settings.AXES_FAILURE_LIMIT = 3
    UserFactory(username="boss", is_staff=True).set_password("right")
    guesses = [
        Client().post("/admin/login/", {"username": "boss", "password": f"guess {number}"}).status_code
        for number in range(4)
    ]
    assert guesses == [200, 200, 429, 429]


def test_behind_a_proxy_the_clients_address_is_locked_out(transactional_db, settings):
    settings.AXES_FAILURE_LIMIT = 2
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    def guess(forwarded_for):
        form = {"username": "boss", "password": "a guess"}
        return Client().post("/admin/login/", form, headers={"X-Forwarded-For": forwarded_for}).status_code

    assert [guess("10.0.0.1") for _ in range(2)] == [200, 429]
    assert guess("10.0.0.2") == 200, "another address is not locked out"
    assert guess("10.0.0.9, 10.0.0.1") == 429, "only the address that the proxy appends counts"


PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(60)),
    "DATABASE_URL": "mysql://shop:secret@127.0.0.1:1/shop",
    "ALLOWED_HOSTS": "shop.example.com",
    "PAYMENT_GATEWAY": HTTP_GATEWAY,
    "CARRIER": HTTP_CARRIER,
    "EMAIL_URL": "smtp://mail.example.com:25",
    **dict.fromkeys(("PROFILE", "DEBUG", "HTTPS", "ALLOW_MAGIC_TOKENS"), ""),
}
"""The settings of a shop on the net. An empty one is left to its default."""


def checked(**changes):
    """Runs `manage.py check --deploy` with production settings."""
    environment = {**os.environ, "ENV_FILE": os.devnull, **PRODUCTION, **changes}
    environment = {name: value for name, value in environment.items() if value}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.any_database
def test_production_settings_pass_every_check():
    result = checked()
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.any_database
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"SECRET_KEY": ""}, "Set the SECRET_KEY environment variable"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"PROFILE": "dev"}, "cloudmart.E020) PROFILE is dev"),
        ({"PROFILE": "staging"}, "it must be dev or prod"),
        ({"DEBUG": "true"}, "cloudmart.E021) DEBUG"),
        ({"HTTPS": "false"}, "cloudmart.E022) HTTPS is off"),
        ({"ALLOW_MAGIC_TOKENS": "true"}, "cloudmart.E023) ALLOW_MAGIC_TOKENS"),
        ({"WEBHOOK_PRIVATE_ADDRESSES": "true"}, "cloudmart.W011) WEBHOOK_PRIVATE_ADDRESSES"),
        ({"WEBHOOK_SENDERS": "0"}, "cloudmart.E034) WEBHOOK_SENDERS"),
        ({"DATABASE_URL": "sqlite://:memory:"}, "cloudmart.W001"),
        ({"PAYMENT_GATEWAY": ""}, "cloudmart.E008) PAYMENT_GATEWAY is a mock"),
        ({"PAYMENT_GATEWAY": "tests.integration.test_reconciliation.OpenGateway"}, "cloudmart.E008"),
        ({"CARRIER": ""}, "cloudmart.E008) CARRIER is a mock"),
        ({"EMAIL_URL": ""}, "cloudmart.E024) EMAIL_URL names no mail server"),
    ],
)
def test_settings_unfit_for_production_fail_a_check(changes, complaint):
    result = checked(**changes)
    assert result.returncode == 1 and complaint in result.stderr
