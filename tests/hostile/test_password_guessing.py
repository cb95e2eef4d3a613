"""Passwords of the admin that are guessed: from many addresses, for many names, and behind a proxy."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client
from django.utils import timezone
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from tests.factories import UserFactory

GUESSER = "203.0.113.7"
RIGHT, WRONG = "right", "wrong"
PROXY_HEADER = "X-Forwarded-For"


@pytest.fixture(autouse=True)
def one_proxy(transactional_db, settings):
    """The shop stands behind one proxy, which appends the address that it sees."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}


@pytest.fixture
def boss():
    return operator("boss")


def operator(name):
    user = UserFactory(username=name, is_staff=True)
    user.set_password(RIGHT)
    user.save()
    return user


def sign_in(name, password=WRONG, address=GUESSER, client=None):
    """Status of the answer: 200 says that the password is wrong, 429 that it was not checked."""
    form = {"username": name, "password": password}
    return (client or Client()).post("/admin/login/", form, headers={PROXY_HEADER: address}).status_code


def addresses(count):
    return [f"198.51.100.{number}" for number in range(1, count + 1)]


def test_addresses_that_the_guesser_invents_do_not_count(boss):
    guesses = [sign_in("boss", address=f"{invented}, {GUESSER}") for invented in addresses(20)]
    assert guesses == [200] * 4 + [429] * 16
    assert sign_in("boss", RIGHT) == 429, "no password is checked any more"


def test_one_name_is_not_guessed_from_many_addresses(boss):
    guesses = [sign_in("boss", address=address) for address in addresses(40)]
    assert guesses == [200] * 14 + [429] * 26
    assert sign_in("boss", RIGHT, address="192.0.2.1") == 429


def test_one_name_in_other_letters_is_one_name_where_the_database_says_so(boss):
    """MySQL finds BOSS where boss is asked for; a database that does not has no such user."""
    names = [name for name in ("boss", "BOSS", "Boss", "bOSS") for _ in range(10)]
    guesses = [sign_in(name, address=address) for name, address in zip(names, addresses(40), strict=True)]
    assert 429 in guesses or sign_in("BOSS", RIGHT, address="192.0.2.1") == 200


def test_one_password_is_not_tried_on_many_names(boss):
    guesses = [sign_in(f"user-{number}") for number in range(200)]
    assert guesses == [200] * 29 + [429] * 171
    assert sign_in("boss", RIGHT) == 429


def test_an_ipv6_guesser_is_counted_by_network(boss):
    guesses = [sign_in(f"user-{number}", address=f"2001:db8::{number:x}") for number in range(40)]
    assert guesses == [200] * 29 + [429] * 11
    assert sign_in("boss", RIGHT, address="2001:db8:0:1::1") == 302, "another network"


def test_others_still_sign_in(boss):
    operator("helper")
    for address in addresses(20):
        sign_in("boss", address=address)
    for number in range(40):
        sign_in(f"user-{number}")
    assert sign_in("helper", RIGHT, address="192.0.2.1") == 302


def test_a_name_under_attack_stays_open_where_its_user_is_known(boss):
    office = "192.0.2.1"
    assert sign_in("boss", RIGHT, address=office) == 302
    for address in addresses(20):
        sign_in("boss", address=address)
    assert sign_in("boss", RIGHT, address="192.0.2.2") == 429
    assert sign_in("boss", RIGHT, address=office) == 302
    guesses = [sign_in("boss", address=office) for _ in range(6)]
    assert guesses == [200] * 4 + [429] * 2, "the limit of a name from one address holds there too"


def test_an_address_is_known_for_thirty_days_after_a_login(boss):
    office = "192.0.2.1"
    sign_in("boss", RIGHT, address=office)
    for address in addresses(20):
        sign_in("boss", address=address)
    for days, status in ((29, 302), (31, 429)):
        AccessLog.objects.update(attempt_time=timezone.now() - timedelta(days=days))
        assert sign_in("boss", RIGHT, address=office) == status
        AccessLog.objects.exclude(pk=AccessLog.objects.earliest("pk").pk).delete()


def test_a_signed_in_session_goes_on_while_its_name_is_locked(boss):
    session = Client()
    assert sign_in("boss", RIGHT, client=session) == 302
    for address in addresses(20):
        sign_in("boss", address=address)
    assert session.get("/admin/", headers={PROXY_HEADER: GUESSER}).status_code == 200


def test_an_account_of_ones_own_buys_no_more_tries(boss):
    operator("mole")
    guesses = []
    for number in range(40):
        guesses.append(sign_in(f"user-{number}"))
        sign_in("mole", RIGHT)
    assert guesses == [200] * 29 + [429] * 11


def test_a_wrong_password_of_ones_own_is_forgotten_after_the_right_one(boss):
    for _ in range(3):
        assert [sign_in("boss") for _ in range(4)] == [200] * 4
        assert sign_in("boss", RIGHT) == 302


def test_guesses_at_a_locked_name_do_not_prolong_its_lock(boss):
    for _ in range(5):
        sign_in("boss")
    (counted,) = AccessAttempt.objects.values("attempt_time", "failures_since_start")
    assert sign_in("boss") == 429
    assert list(AccessAttempt.objects.values("attempt_time", "failures_since_start")) == [counted]


@pytest.mark.parametrize(
    "invented",
    [
        lambda number: f"198.51.100.{number}, {GUESSER}",
        lambda number: f"{GUESSER}:{40000 + number}",
        lambda number: f"[2001:db8::{number}]:{40000 + number}",
        lambda number: f"::ffff:{GUESSER}, ::ffff:{GUESSER}",
        lambda number: f"unknown-{number}",
    ],
)
def test_a_stranger_does_not_choose_the_address_to_be_counted_by(rates, invented):
    rates(anon="3/min")
    stranger = APIClient(HTTP_AUTHORIZATION="Bearer nonsense")
    asked = [stranger.get("/orders", headers={PROXY_HEADER: invented(number)}).status_code for number in range(5)]
    assert asked == [401, 401, 401, 429, 429]


def test_without_a_proxy_no_forwarded_address_is_believed(settings, rates):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 0}
    assert api_settings.NUM_PROXIES == 0
    rates(anon="3/min")
    tokens = [f"Bearer {number:064x}" for number in range(5)]
    asked = [
        APIClient(HTTP_AUTHORIZATION=token).get("/orders", headers={PROXY_HEADER: address}).status_code
        for token, address in zip(tokens, addresses(5), strict=True)
    ]
    assert asked == [401, 401, 401, 429, 429]
