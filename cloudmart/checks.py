"""System checks: settings under which our promises would not hold."""

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

SAFE_SQLITE = (3, 51, 3)
STYLES = ("orchestration", "choreography")


@register(Tags.database)
def check_databases(**kwargs: Any) -> list[CheckMessage]:
    return [problem for alias in settings.DATABASES for problem in problems_of(settings.DATABASES[alias])]


def problems_of(database: dict[str, Any]) -> list[CheckMessage]:
    """What is dangerous about one entry of DATABASES."""
    problems: list[CheckMessage] = []
    options = database.get("OPTIONS", {})
    if database.get("ATOMIC_REQUESTS"):
        problems.append(Error("ATOMIC_REQUESTS would hold locks across provider calls.", id="cloudmart.E001"))
    if database["ENGINE"].endswith("mysql") and options.get("isolation_level") != "read committed":
        problems.append(Error("MySQL must run READ COMMITTED: other levels lose updates.", id="cloudmart.E002"))
    if database["ENGINE"].endswith("sqlite3") and options.get("transaction_mode") != "IMMEDIATE":
        problems.append(
            Error("SQLite needs transaction_mode IMMEDIATE: else writers do not queue.", id="cloudmart.E003")
        )
    return problems


@register(Tags.database, deploy=True)
def check_sqlite_in_production(**kwargs: Any) -> list[CheckMessage]:
    if not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    problems: list[CheckMessage] = [Warning("SQLite is for development; use MySQL or MariaDB.", id="cloudmart.W001")]
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        problems.append(Warning("SQLite before 3.51.3 can, rarely, corrupt a WAL database.", id="cloudmart.W002"))
    return problems


@register()
def check_saga_settings(**kwargs: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if settings.SAGA_STYLE not in STYLES:
        problems.append(Error(f"SAGA_STYLE must be one of {', '.join(STYLES)}.", id="cloudmart.E004"))
    if settings.PROVIDER_TRIES < 1:
        problems.append(Error("PROVIDER_TRIES must be at least 1.", id="cloudmart.E005"))
    if settings.RESERVATION_TTL.total_seconds() < 60:
        problems.append(Error("RESERVATION_TTL under a minute expires holds of running orders.", id="cloudmart.E006"))
    if settings.SAGA_DEADLINE >= settings.RESERVATION_TTL:
        problems.append(
            Error(
                "SAGA_DEADLINE must be less than RESERVATION_TTL: late orders lose their holds.",
                id="cloudmart.E007",
            )
        )
    if settings.LEASE.total_seconds() <= settings.PROVIDER_CONNECT_TIMEOUT + settings.PROVIDER_READ_TIMEOUT:
        problems.append(
            Warning(
                "LEASE should be longer than one call of a provider may take: drivers are taken for dead in mid call.",
                id="cloudmart.W003",
            )
        )
    return problems
