"""Attacks on the passwords of the admin: from many addresses, for many names, and behind a proxy."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client
from django.utils import timezone
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from tests.factories import UserFactory

ATTACKER = "203.0.113.7"
RIGHT, WRONG = "right", "wrong"
PROXY_HEADER = "X-Forwarded-For"


@pytest.fixture(autouse=True)
def one_proxy(transactional_db, settings):
    """The server is behind one proxy, which appends the client's address."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}


@pytest.fixture
def boss():
    return operator("boss")


def operator(name):
    user = UserFactory(username=name, is_staff=True)
    user.set_password(RIGHT)
    user.save()
    return user


def sign_in(name, password=WRONG, address=ATTACKER, client=None):
    """Returns the status of a login: 302 for success, 200 for a wrong password, 429 during a lockout."""
    form = {"username": name, "password": password}
    return (client or Client()).post("/admin/login/", form, headers={PROXY_HEADER: address}).status_code


def addresses(count):
    return [f"198.51.100.{number}" for number in range(1, count + 1)]


def test_forged_addresses_do_not_evade_the_lockout(boss):
    guesses = [sign_in("boss", address=f"{forged}, {ATTACKER}") for forged in addresses(20)]
    assert guesses == [200] * 4 + [429] * 16
    assert sign_in("boss", RIGHT) == 429, "passwords are not checked during the lockout"


def test_attempts_on_one_name_from_many_addresses_are_limited(boss):
    guesses = [sign_in("boss", address=address) for address in addresses(40)]
    assert guesses == [200] * 14 + [429] * 26
    assert sign_in("boss", RIGHT, address="192.0.2.1") == 429


def test_spellings_that_the_database_treats_as_one_name_share_a_limit(boss):
    """MySQL finds the user boss under the name BOSS; a case-sensitive database has no such user."""
    names = [name for name in ("boss", "BOSS", "Boss", "bOSS") for _ in range(10)]
    guesses = [sign_in(name, address=address) for name, address in zip(names, addresses(40), strict=True)]
    assert 429 in guesses or sign_in("BOSS", RIGHT, address="192.0.2.1") == 200


def test_attempts_on_many_names_from_one_address_are_limited(boss):
    guesses = [sign_in(f"user-{number}") for number in range(200)]
    assert guesses == [200] * 29 + [429] * 171
    assert sign_in("boss", RIGHT) == 429


def test_ipv6_addresses_are_counted_by_network(boss):
    guesses = [sign_in(f"user-{number}", address=f"2001:db8::{number:x}") for number in range(40)]
    assert guesses == [200] * 29 + [429] * 11
    assert sign_in("boss", RIGHT, address="2001:db8:0:1::1") == 302, "another network"


def test_a_lockout_does_not_affect_other_users(boss):
    operator("helper")
    for address in addresses(20):
        sign_in("boss", address=address)
    for number in range(40):
        sign_in(f"user-{number}")
    assert sign_in("helper", RIGHT, address="192.0.2.1") == 302


def test_a_known_address_is_exempt_from_the_limit_per_name(boss):
    known_address = "192.0.2.1"
    assert sign_in("boss", RIGHT, address=known_address) == 302
    for address in addresses(20):
        sign_in("boss", address=address)
    assert sign_in("boss", RIGHT, address="192.0.2.2") == 429
    assert sign_in("boss", RIGHT, address=known_address) == 302
    guesses = [sign_in("boss", address=known_address) for _ in range(6)]
    assert guesses == [200] * 4 + [429] * 2, "the limit per name and address still applies"


def test_an_address_is_known_for_thirty_days_after_a_login(boss):
    known_address = "192.0.2.1"
    sign_in("boss", RIGHT, address=known_address)
    for address in addresses(20):
        sign_in("boss", address=address)
    for days, status in ((29, 302), (31, 429)):
        AccessLog.objects.update(attempt_time=timezone.now() - timedelta(days=days))
        assert sign_in("boss", RIGHT, address=known_address) == status
        AccessLog.objects.exclude(pk=AccessLog.objects.earliest("pk").pk).delete()


def test_a_session_continues_while_its_name_is_locked_out(boss):
    session = Client()
    assert sign_in("boss", RIGHT, client=session) == 302
    for address in addresses(20):
        sign_in("boss", address=address)
    assert session.get("/admin/", headers={PROXY_HEADER: ATTACKER}).status_code == 200


def test_a_login_does_not_reset_the_limit_per_address(boss):
    operator("attacker")
    guesses = []
    for number in range(40):
        guesses.append(sign_in(f"user-{number}"))
        sign_in("attacker", RIGHT)
    assert guesses == [200] * 29 + [429] * 11


def test_a_login_deletes_the_users_own_wrong_passwords(boss):
    for _ in range(3):
        assert [sign_in("boss") for _ in range(4)] == [200] * 4
        assert sign_in("boss", RIGHT) == 302


def test_attempts_during_a_lockout_do_not_extend_it(boss):
    for _ in range(5):
        sign_in("boss")
    (counted,) = AccessAttempt.objects.values("attempt_time", "failures_since_start")
    assert sign_in("boss") == 429
    assert list(AccessAttempt.objects.values("attempt_time", "failures_since_start")) == [counted]


@pytest.mark.parametrize(
    "forged",
    [
        lambda number: f"198.51.100.{number}, {ATTACKER}",
        lambda number: f"{ATTACKER}:{40000 + number}",
        lambda number: f"[2001:db8::{number}]:{40000 + number}",
        lambda number: f"::ffff:{ATTACKER}, ::ffff:{ATTACKER}",
        lambda number: f"unknown-{number}",
    ],
)
def test_an_anonymous_client_cannot_choose_its_counted_address(rates, forged):
    rates(anon="3/min")
    client = APIClient(HTTP_AUTHORIZATION="Bearer nonsense")
    statuses = [client.get("/orders", headers={PROXY_HEADER: forged(number)}).status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_without_a_proxy_forwarded_addresses_are_ignored(settings, rates):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 0}
    assert api_settings.NUM_PROXIES == 0
    rates(anon="3/min")
    tokens = [f"Bearer {number:064x}" for number in range(5)]
    statuses = [
        APIClient(HTTP_AUTHORIZATION=token).get("/orders", headers={PROXY_HEADER: address}).status_code
        for token, address in zip(tokens, addresses(5), strict=True)
    ]
    assert statuses == [401, 401, 401, 429, 429]
