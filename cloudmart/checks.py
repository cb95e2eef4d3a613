"""System checks: settings under which the guarantees of CloudMart do not hold."""

import re
import sqlite3
from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from email.utils import getaddresses
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.utils.module_loading import import_string

from cloudmart.api.caches import SHARED_CACHE
from cloudmart.kernel import tracing
from cloudmart.kernel.countries import COUNTRIES, home_country, postal_code_of
from cloudmart.kernel.money import HIGHEST_PRICE, minor_digits
from cloudmart.providers.mock import MockProvider

STEPS_OF_A_MAIL = 8
"""From the connection to the acceptance, with TLS and authentication; each may take EMAIL_TIMEOUT."""
STYLES = ("orchestration", "choreography")
BACKENDS_THAT_SEND_NOTHING = {
    f"django.core.mail.backends.{name}.EmailBackend" for name in ("console", "dummy", "filebased", "locmem")
}
SHORTEST_METRICS_TOKEN = 32
NO_TIME = timedelta(0)

INSTALL = "pip install --requirement requirements-scale.txt"


@register(Tags.database)
def check_databases(**kwargs: Any) -> list[CheckMessage]:
    return [problem for database in settings.DATABASES.values() for problem in problems_of(database)]


def problems_of(database: dict[str, Any]) -> Iterator[CheckMessage]:
    """Yields the problems of one entry of DATABASES."""
    engine, options = database["ENGINE"], database.get("OPTIONS", {})
    if database.get("ATOMIC_REQUESTS"):
        yield Error("ATOMIC_REQUESTS would hold locks across provider calls.", id="cloudmart.E001")
    if engine.endswith("mysql") and options.get("isolation_level") != "read committed":
        yield Error("MySQL must run READ COMMITTED: other levels lose updates.", id="cloudmart.E002")
    if engine.endswith("sqlite3") and options.get("transaction_mode") != "IMMEDIATE":
        yield Error("SQLite needs transaction_mode IMMEDIATE: otherwise writers do not queue.", id="cloudmart.E003")


@register(Tags.database)
def check_character_sets(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Without the whole of Unicode, orders fail because of the characters of a name or an address."""
    return [
        Error(
            f"The character set of the database {name!r} is {found}: it must be utf8mb4.",
            hint="Before its first `migrate`: ALTER DATABASE … CHARACTER SET utf8mb4. Existing tables keep theirs.",
            id="cloudmart.E009",
        )
        for name in databases or ()
        if connections[name].vendor == "mysql" and (found := character_set_of(name)) != "utf8mb4"
    ]


def character_set_of(database: str) -> str:
    """Returns the default character set of new tables in this MySQL database."""
    with connections[database].cursor() as cursor:
        cursor.execute(
            "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()"
        )
        return str(cursor.fetchone()[0])


@register(Tags.database, deploy=True)
def check_sqlite_in_production(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Warning("SQLite is for development; use MySQL or MariaDB.", id="cloudmart.W001")
        if sqlite3.sqlite_version_info < (3, 51, 3):
            yield Warning("SQLite before 3.51.3 can, rarely, corrupt a WAL database.", id="cloudmart.W002")


@register(deploy=True)
def check_providers(**kwargs: Any) -> list[CheckMessage]:
    """A mock reports success without taking money or sending a parcel."""
    return [
        Error(
            f"{port} is a mock: orders complete without {what}.", hint="See docs/operations.md.", id="cloudmart.E008"
        )
        for port, what in (("PAYMENT_GATEWAY", "being paid"), ("CARRIER", "being sent"))
        if issubclass(import_string(getattr(settings, port)), MockProvider)
    ]


@register()
def check_cache(**kwargs: Any) -> Iterator[CheckMessage]:
    missing = missing_packages("redis", "pybreaker")
    if settings.CACHES["default"]["BACKEND"] == SHARED_CACHE and missing:
        yield Error(f"CACHE_URL names Redis, which needs {missing}.", hint=INSTALL, id="cloudmart.E026")


@register()
def check_broker(**kwargs: Any) -> Iterator[CheckMessage]:
    urls = settings.BROKER_URL.split(";") if settings.BROKER_URL else []
    if not all(re.match(r"amqps?://", url) for url in urls):
        yield Error("BROKER_URL must be an amqp:// or amqps:// URL: only RabbitMQ is supported.", id="cloudmart.E028")
    if urls and (missing := missing_packages("celery", "pybreaker")):
        yield Error(f"BROKER_URL needs {missing}.", hint=INSTALL, id="cloudmart.E029")


@register()
def check_events(**kwargs: Any) -> Iterator[CheckMessage]:
    if not settings.EVENTS_URL:
        return
    if not re.match(r"(rediss?|unix)://", settings.EVENTS_URL):
        yield Error("EVENTS_URL must be a redis://, rediss:// or unix:// URL.", id="cloudmart.E031")
    if missing := missing_packages("redis"):
        yield Error(f"EVENTS_URL needs {missing}.", hint=INSTALL, id="cloudmart.E032")
    if min(settings.EVENTS_PARTITIONS, settings.EVENTS_KEPT) < 1:
        yield Error("EVENTS_PARTITIONS and EVENTS_KEPT must be at least 1.", id="cloudmart.E033")


@register(deploy=True)
def check_redis_of_events(**kwargs: Any) -> Iterator[CheckMessage]:
    """Redis evicts keys of all its databases."""
    cache = settings.CACHES["default"]
    if settings.EVENTS_URL and cache["BACKEND"] == SHARED_CACHE and is_same_server(settings.EVENTS_URL, cache):
        yield Warning(
            "EVENTS_URL and CACHE_URL name the same Redis: it evicts streams, or refuses events when it is full.",
            hint="Use two servers: cloudmart/deploy/redis-cache.conf and redis-streams.conf.",
            id="cloudmart.W010",
        )


def is_same_server(url: str, cache: dict[str, Any]) -> bool:
    """Returns True if the URL leads to one of the servers of this cache, whatever the database's number."""
    servers = cache["LOCATION"] if isinstance(cache["LOCATION"], list) else [cache["LOCATION"]]
    return address_of(url) in map(address_of, servers)


def address_of(url: str) -> tuple[str | None, int, str]:
    """Returns host, port and, for a socket, path of a server of Redis."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or 6379, parts.path if parts.scheme == "unix" else ""


def missing_packages(*names: str) -> str:
    """Returns the names of those packages that are not installed; "" if all are."""
    return " and ".join(name for name in names if not find_spec(name))


@register(deploy=True)
def check_shared_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.WEB_SERVERS > 1 and settings.CACHES["default"]["BACKEND"] != SHARED_CACHE:
        yield Warning("CACHE_URL names no Redis: every process limits requests for itself.", id="cloudmart.W007")


@register(deploy=True)
def check_metrics_token(**kwargs: Any) -> Iterator[CheckMessage]:
    if 0 < len(settings.METRICS_TOKEN) < SHORTEST_METRICS_TOKEN:
        yield Warning(f"METRICS_TOKEN has fewer than {SHORTEST_METRICS_TOKEN} characters.", id="cloudmart.W005")


@register(deploy=True)
def check_mail_server(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.EMAIL_BACKEND in BACKENDS_THAT_SEND_NOTHING:
        yield Error("EMAIL_URL names no mail server: customers get no mail.", id="cloudmart.E024")


@register(deploy=True)
def check_profile(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.PROFILE == "dev":
        yield Error("PROFILE is dev: its defaults are not for production.", id="cloudmart.E020")
    if settings.DEBUG:
        yield Error("DEBUG shows settings and source code to everybody.", id="cloudmart.E021")
    if not settings.HTTPS:
        yield Error("HTTPS is off: passwords and tokens are sent unencrypted.", id="cloudmart.E022")
    if settings.ALLOW_MAGIC_TOKENS:
        yield Error("ALLOW_MAGIC_TOKENS lets every client make orders fail or wait.", id="cloudmart.E023")
    if settings.WEBHOOK_PRIVATE_ADDRESSES:
        yield Warning(
            "WEBHOOK_PRIVATE_ADDRESSES lets whoever may register an endpoint call servers of your own network.",
            id="cloudmart.W011",
        )


@register()
def check_shop_settings(**kwargs: Any) -> Iterator[CheckMessage]:
    if home_country() not in COUNTRIES:
        yield Error("HOME_REGION must be an ISO 3166-1 alpha-2 code, like JP.", id="cloudmart.E010")
    try:
        minor_digits(settings.CURRENCY)
    except ValueError:
        yield Error("CURRENCY must be an ISO 4217 code with a minor unit, like JPY.", id="cloudmart.E012")
    if (code := settings.PICKUP_POSTAL_CODE) and not re.match(postal_code_of(home_country()), code):
        yield Error("PICKUP_POSTAL_CODE must be a postal code of HOME_REGION, or empty.", id="cloudmart.E013")
    highest_total_without_tax = HIGHEST_PRICE * settings.MAX_QUANTITY_PER_LINE * settings.MAX_LINES_PER_ORDER
    if 2 * highest_total_without_tax >= 2**53:  # at a tax of 100 %
        limits = "MAX_QUANTITY_PER_LINE times MAX_LINES_PER_ORDER"
        yield Error(f"{limits} allows totals above 2^53, which JSON parsers round.", id="cloudmart.E011")


@register()
def check_saga_settings(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.SAGA_STYLE not in STYLES:
        yield Error(f"SAGA_STYLE must be one of {', '.join(STYLES)}.", id="cloudmart.E004")
    if settings.PROVIDER_TRIES < 1:
        yield Error("PROVIDER_TRIES must be at least 1.", id="cloudmart.E005")
    if settings.RESERVATION_TTL.total_seconds() < 60:
        yield Error("RESERVATION_TTL under a minute lets reservations of running orders expire.", id="cloudmart.E006")
    if settings.SAGA_DEADLINE >= settings.RESERVATION_TTL:
        yield Error("SAGA_DEADLINE must be less than RESERVATION_TTL: late orders lose books.", id="cloudmart.E007")
    if settings.LEASE.total_seconds() <= settings.PROVIDER_DEADLINE:
        yield Warning("LEASE should exceed PROVIDER_DEADLINE: it expires during a provider call.", id="cloudmart.W003")
    if settings.STALE_INTENT.total_seconds() <= (settings.PROVIDER_TRIES + 1) * settings.PROVIDER_DEADLINE:
        yield Warning("STALE_INTENT should exceed a provider call with its retries.", id="cloudmart.W004")


@register()
def check_mail_settings(**kwargs: Any) -> Iterator[CheckMessage]:
    for name in ("DEFAULT_FROM_EMAIL", "MAIL_REPLY_TO"):
        if not is_one_address(getattr(settings, name)):
            yield Error(f"{name} must be one address, like CloudMart <orders@cloudmart.example>.", id="cloudmart.E025")
    if settings.MAIL_LEASE.total_seconds() <= STEPS_OF_A_MAIL * settings.EMAIL_TIMEOUT:
        yield Warning(
            f"MAIL_LEASE should exceed {STEPS_OF_A_MAIL} times EMAIL_TIMEOUT: a slow mail is sent twice.",
            id="cloudmart.W006",
        )


def is_one_address(text: str) -> bool:
    """No mail can be sent from anything else: each would fail for good, as if the customer's address were wrong."""
    found = getaddresses([text])
    return len(found) == 1 and all(found[0][1].rpartition("@"))


@register()
def check_traces(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and not tracing.is_on():
        yield Error(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs OpenTelemetry, which cannot be imported.",
            hint=INSTALL,
            id="cloudmart.E030",
        )


@register()
def check_webhook_secrets(**kwargs: Any) -> Iterator[CheckMessage]:
    """A shorter secret can be guessed; of three, one was forgotten when it was changed."""
    secrets = settings.CARRIER_WEBHOOK_SECRET
    if not all(map(is_webhook_secret, secrets)) or len(secrets) > 2:
        rule = "at most two, each whsec_ and base64 of 24 to 64 bytes"
        yield Error(f"CARRIER_WEBHOOK_SECRET has a wrong secret: {rule}.", id="cloudmart.E014")


@register()
def check_webhook_settings(**kwargs: Any) -> Iterator[CheckMessage]:
    if settings.WEBHOOK_SENDERS < 1 or settings.WEBHOOK_TIMEOUT <= 0 or settings.WEBHOOK_RETRY_FOR <= NO_TIME:
        yield Error("WEBHOOK_SENDERS, WEBHOOK_TIMEOUT and WEBHOOK_RETRY_FOR must be more than 0.", id="cloudmart.E034")
    if not NO_TIME < settings.WEBHOOK_BACKOFF <= settings.WEBHOOK_MAX_BACKOFF:
        yield Error("WEBHOOK_BACKOFF must be more than 0, and at most WEBHOOK_MAX_BACKOFF.", id="cloudmart.E035")


def is_webhook_secret(secret: str) -> bool:
    try:
        return secret.startswith("whsec_") and 24 <= len(b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    except ValueError:
        return False
