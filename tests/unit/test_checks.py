"""System checks report dangerous settings."""

from datetime import timedelta
from importlib.util import find_spec

import pytest

from cloudmart.api.caches import SHARED_CACHE
from cloudmart.checks import (
    check_broker,
    check_cache,
    check_events,
    check_mail_settings,
    check_metrics_token,
    check_redis_of_events,
    check_saga_settings,
    check_shared_limits,
    check_shop_settings,
    check_sqlite_in_production,
    check_webhook_secrets,
    check_webhook_settings,
    problems_of,
)
from cloudmart.database.options import database_from
from tests.known_bugs import known_bug

MYSQL = {"ENGINE": "django.db.backends.mysql", "NAME": "shop"}
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}


@pytest.mark.parametrize("url", [MYSQL, SQLITE])
def test_the_default_options_are_safe(url):
    assert list(problems_of(database_from(url, max_age=60))) == []


@known_bug("Jepsen: MySQL 8.0.34", "SQLite: deferred transactions")
@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ({**database_from(MYSQL, 60), "ATOMIC_REQUESTS": True}, "cloudmart.E001"),
        (database_from({**MYSQL, "OPTIONS": {"isolation_level": "repeatable read"}}, 60), "cloudmart.E002"),
        (database_from({**SQLITE, "OPTIONS": {"transaction_mode": "DEFERRED"}}, 60), "cloudmart.E003"),
    ],
)
def test_a_dangerous_database_setting_is_an_error(database, problem):
    assert [check.id for check in problems_of(database)] == [problem]


def test_sqlite_in_production_is_a_warning(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", SQLITE["ENGINE"])
    assert "cloudmart.W001" in [check.id for check in check_sqlite_in_production()]
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", MYSQL["ENGINE"])
    assert list(check_sqlite_in_production()) == []


def test_a_short_metrics_token_is_a_warning(settings):
    for token, found in ("", []), ("x" * 31, ["cloudmart.W005"]), ("x" * 32, []):
        settings.METRICS_TOKEN = token
        assert [check.id for check in check_metrics_token()] == found


def test_settings_of_the_saga_are_checked(settings):
    assert list(check_saga_settings()) == []
    settings.SAGA_STYLE, settings.PROVIDER_TRIES = "opera", 0
    settings.RESERVATION_TTL = settings.RESERVATION_TTL / 100
    found = [check.id for check in check_saga_settings()]
    assert found == ["cloudmart.E004", "cloudmart.E005", "cloudmart.E006", "cloudmart.E007"]


def test_the_saga_deadline_must_be_shorter_than_the_reservation_ttl(settings):
    settings.SAGA_DEADLINE = settings.RESERVATION_TTL
    assert [check.id for check in check_saga_settings()] == ["cloudmart.E007"]


def test_lease_and_stale_intent_must_be_longer_than_provider_calls(settings):
    settings.PROVIDER_DEADLINE = settings.LEASE.total_seconds()
    assert [check.id for check in check_saga_settings()] == ["cloudmart.W003", "cloudmart.W004"]
    settings.PROVIDER_DEADLINE = settings.STALE_INTENT.total_seconds() / (settings.PROVIDER_TRIES + 1)
    settings.LEASE = settings.STALE_INTENT
    assert [check.id for check in check_saga_settings()] == ["cloudmart.W004"]


def test_the_lease_of_a_mail_must_be_longer_than_a_slow_mail_server_takes(settings):
    assert list(check_mail_settings()) == []
    settings.EMAIL_TIMEOUT = settings.MAIL_LEASE.total_seconds() / 8
    assert [check.id for check in check_mail_settings()] == ["cloudmart.W006"]


@pytest.mark.parametrize("name", ["DEFAULT_FROM_EMAIL", "MAIL_REPLY_TO"])
@pytest.mark.parametrize("value", ["", "CloudMart", "CloudMart <orders>", "a@b.example, c@d.example", "<@b.example>"])
def test_a_sender_that_is_not_one_address_is_an_error(settings, name, value):
    setattr(settings, name, "orders@localhost")
    assert list(check_mail_settings()) == []
    setattr(settings, name, value)
    assert [check.id for check in check_mail_settings()] == ["cloudmart.E025"]


@pytest.mark.parametrize("region", ["", "jp", "ZZ", "JPN"])
def test_a_shop_without_a_country_is_an_error(settings, region):
    assert list(check_shop_settings()) == []
    settings.HOME_REGION = region
    assert [check.id for check in check_shop_settings()] == ["cloudmart.E010"]


@pytest.mark.parametrize("currency", ["", "jpy", "YEN", "XAU"])
def test_a_currency_without_a_minor_unit_is_an_error(settings, currency):
    settings.CURRENCY = currency
    assert [check.id for check in check_shop_settings()] == ["cloudmart.E012"]


@pytest.mark.parametrize("postal_code", ["10115", "1000005", "〒100-0005"])
def test_a_counter_without_a_postal_code_of_the_shops_country_is_an_error(settings, postal_code):
    for settings.PICKUP_POSTAL_CODE in ("", "100-0005"):
        assert list(check_shop_settings()) == []
    settings.PICKUP_POSTAL_CODE = postal_code
    assert [check.id for check in check_shop_settings()] == ["cloudmart.E013"]


def test_limits_that_allow_totals_beyond_2_to_the_53_are_an_error(settings):
    assert list(check_shop_settings()) == []
    settings.MAX_QUANTITY_PER_LINE = 10_000
    assert [check.id for check in check_shop_settings()] == ["cloudmart.E011"]


SECRET = "whsec_Y2Fycmllci1zZWNyZXQtb2YtdGhlLXRlc3Rz"


@pytest.mark.parametrize("secrets", [["secret"], ["whsec_c2hvcnQ="], ["whsec_?"], [SECRET] * 3, [SECRET, ""]])
def test_a_webhook_secret_that_is_malformed_or_forgotten_is_an_error(settings, secrets):
    for allowed in ([], [SECRET], [SECRET, SECRET]):
        settings.CARRIER_WEBHOOK_SECRET = allowed
        assert list(check_webhook_secrets()) == []
    settings.CARRIER_WEBHOOK_SECRET = secrets
    assert [check.id for check in check_webhook_secrets()] == ["cloudmart.E014"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"WEBHOOK_SENDERS": 0}, ["cloudmart.E034"]),
        ({"WEBHOOK_TIMEOUT": 0}, ["cloudmart.E034"]),
        ({"WEBHOOK_RETRY_FOR": timedelta(0)}, ["cloudmart.E034"]),
        ({"WEBHOOK_BACKOFF": timedelta(0)}, ["cloudmart.E035"]),
        ({"WEBHOOK_MAX_BACKOFF": timedelta(seconds=1)}, ["cloudmart.E035"]),
    ],
)
def test_wrong_settings_of_webhooks_are_errors(settings, changes, found):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [check.id for check in check_webhook_settings()] == found


def test_redis_needs_its_packages(settings, monkeypatch):
    settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": "redis://127.0.0.1:1/0"}}
    assert list(check_cache()) == []
    monkeypatch.setattr("cloudmart.checks.find_spec", lambda name: None if name == "redis" else find_spec(name))
    (problem,) = check_cache()
    assert problem.id == "cloudmart.E026" and "redis" in problem.msg and "pybreaker" not in problem.msg
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert list(check_cache()) == []


@pytest.mark.parametrize(("servers", "found"), [(1, []), (2, ["cloudmart.W007"])])
def test_several_web_servers_without_redis_are_a_warning(settings, servers, found):
    settings.WEB_SERVERS = servers
    assert [check.id for check in check_shared_limits()] == found
    settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": "redis://127.0.0.1:1/0"}}
    assert list(check_shared_limits()) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"EVENTS_URL": "redis://a:6379/0"}, []),
        ({"EVENTS_URL": "amqp://a"}, ["cloudmart.E031"]),
        ({"EVENTS_URL": "redis://a", "EVENTS_PARTITIONS": 0}, ["cloudmart.E033"]),
        ({"EVENTS_URL": "redis://a", "EVENTS_KEPT": 0}, ["cloudmart.E033"]),
    ],
)
def test_wrong_settings_of_the_stream_are_errors(settings, changes, found):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [check.id for check in check_events()] == found


def test_a_stream_needs_its_packages(settings, monkeypatch):
    settings.EVENTS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr("cloudmart.checks.find_spec", lambda name: None if name == "redis" else find_spec(name))
    (problem,) = check_events()
    assert problem.id == "cloudmart.E032" and "redis" in problem.msg


@pytest.mark.parametrize(
    ("events", "cache", "found"),
    [
        ("redis://a:6379/1", "redis://:secret@a:6379/0", ["cloudmart.W010"]),
        ("redis://a/1", "redis://a:6379/0", ["cloudmart.W010"]),
        ("redis://a/0", ["redis://b/0", "redis://a/0"], ["cloudmart.W010"]),
        ("redis://a:6380/0", "redis://a:6379/0", []),
        ("", "redis://a:6379/0", []),
    ],
)
def test_a_redis_that_is_also_the_cache_is_a_warning(settings, events, cache, found):
    settings.EVENTS_URL = events
    settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": cache}}
    assert [check.id for check in check_redis_of_events()] == found


@pytest.mark.parametrize(("url", "found"), [("", []), ("amqp://a;amqps://b", []), ("redis://a", ["cloudmart.E028"])])
def test_a_broker_that_is_no_rabbitmq_is_an_error(settings, url, found):
    settings.BROKER_URL = url
    assert [check.id for check in check_broker()] == found


def test_rabbitmq_needs_its_packages(settings, monkeypatch):
    monkeypatch.setattr("cloudmart.checks.find_spec", lambda name: None if name == "celery" else find_spec(name))
    assert list(check_broker()) == []
    settings.BROKER_URL = "amqp://127.0.0.1"
    (problem,) = check_broker()
    assert problem.id == "cloudmart.E029" and "celery" in problem.msg and "pybreaker" not in problem.msg
