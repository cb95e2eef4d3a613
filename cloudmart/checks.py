"""System checks: settings under which the guarantees of CloudMart do not hold."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.utils.module_loading import import_string

from cloudmart.kernel.countries import COUNTRIES, home_country
from cloudmart.kernel.money import HIGHEST_PRICE
from cloudmart.providers.mock import MockProvider

SAFE_SQLITE = (3, 51, 3)
STYLES = ("orchestration", "choreography")


@register(Tags.database)
def check_databases(**kwargs: Any) -> list[CheckMessage]:
    return [problem for alias in settings.DATABASES for problem in problems_of(settings.DATABASES[alias])]


def problems_of(database: dict[str, Any]) -> list[CheckMessage]:
    """Returns the problems of one entry of DATABASES."""
    problems: list[CheckMessage] = []
    options = database.get("OPTIONS", {})
    if database.get("ATOMIC_REQUESTS"):
        problems.append(Error("ATOMIC_REQUESTS would hold locks across provider calls.", id="cloudmart.E001"))
    if database["ENGINE"].endswith("mysql") and options.get("isolation_level") != "read committed":
        problems.append(Error("MySQL must run READ COMMITTED: other levels lose updates.", id="cloudmart.E002"))
    if database["ENGINE"].endswith("sqlite3") and options.get("transaction_mode") != "IMMEDIATE":
        problems.append(
            Error("SQLite needs transaction_mode IMMEDIATE: otherwise writers do not queue.", id="cloudmart.E003")
        )
    return problems


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
def check_sqlite_in_production(**kwargs: Any) -> list[CheckMessage]:
    if not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    problems: list[CheckMessage] = [Warning("SQLite is for development; use MySQL or MariaDB.", id="cloudmart.W001")]
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        problems.append(Warning("SQLite before 3.51.3 can, rarely, corrupt a WAL database.", id="cloudmart.W002"))
    return problems


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
def check_home_region(**kwargs: Any) -> list[CheckMessage]:
    if home_country() in COUNTRIES:
        return []
    return [Error("HOME_REGION must be an ISO 3166-1 alpha-2 code, like JP.", id="cloudmart.E010")]


@register()
def check_order_limits(**kwargs: Any) -> list[CheckMessage]:
    """Checks the total of the largest order at the highest price and a tax of 100 %."""
    largest_total = 2 * HIGHEST_PRICE * settings.MAX_QUANTITY_PER_LINE * settings.MAX_LINES_PER_ORDER
    if largest_total < 2**53:
        return []
    limits = "MAX_QUANTITY_PER_LINE times MAX_LINES_PER_ORDER"
    return [Error(f"{limits} allows totals above 2^53, which JSON parsers round.", id="cloudmart.E011")]


@register()
def check_saga_settings(**kwargs: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if settings.SAGA_STYLE not in STYLES:
        problems.append(Error(f"SAGA_STYLE must be one of {', '.join(STYLES)}.", id="cloudmart.E004"))
    if settings.PROVIDER_TRIES < 1:
        problems.append(Error("PROVIDER_TRIES must be at least 1.", id="cloudmart.E005"))
    if settings.RESERVATION_TTL.total_seconds() < 60:
        problems.append(
            Error("RESERVATION_TTL under a minute lets reservations of running orders expire.", id="cloudmart.E006")
        )
    if settings.SAGA_DEADLINE >= settings.RESERVATION_TTL:
        problems.append(
            Error(
                "SAGA_DEADLINE must be less than RESERVATION_TTL: otherwise late orders lose their reservations.",
                id="cloudmart.E007",
            )
        )
    if settings.LEASE.total_seconds() <= settings.PROVIDER_DEADLINE:
        problems.append(
            Warning(
                "LEASE should be longer than PROVIDER_DEADLINE: otherwise it expires during a provider call.",
                id="cloudmart.W003",
            )
        )
    if settings.STALE_INTENT.total_seconds() <= (settings.PROVIDER_TRIES + 1) * settings.PROVIDER_DEADLINE:
        problems.append(
            Warning(
                "STALE_INTENT should be longer than a provider call and its retries: else workers repeat the call.",
                id="cloudmart.W004",
            )
        )
    return problems
