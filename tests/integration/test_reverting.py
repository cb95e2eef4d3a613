"""Going back a version: all migrations are reverted on a database with data, and applied again."""

import json
import os

import pytest
from django.db import connection

from tests.migration_walk import IRREVERSIBLE, our_migrations
from tests.processes import TIMEOUT, database_url, run_python


@pytest.fixture
def empty_database(transactional_db, tmp_path):
    """Returns the URL of an empty database."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.sqlite3"
        return
    name = f"{connection.settings_dict['NAME']}_reverting"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield f"{database_url()}_reverting"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.any_database
def test_a_migration_can_be_reverted_or_says_why_not():
    irreversible = {
        (migration.app_label, migration.name)
        for migration in our_migrations()
        if not all(operation.reversible for operation in migration.operations)
    }
    assert irreversible == set(IRREVERSIBLE)


@pytest.mark.slow
def test_a_shop_with_data_goes_back_to_its_first_version_and_forward_again(empty_database):
    settings = {
        "DJANGO_SETTINGS_MODULE": "cloudmart.settings",
        "DATABASE_URL": empty_database,
        "PROFILE": "dev",
        "LOG_STREAM": "stderr",
        "PROVIDER_BACKOFF": "0",
        "PROVIDER_TEXTS": "longest",
    }
    done = run_python("-m", "tests.migration_walk", env={**os.environ, **settings}, timeout=3 * TIMEOUT)
    stages = json.loads(done.stdout)
    early, late, reverted, again = (stages[name] for name in ("early", "late", "reverted", "applied again"))
    assert early["columns"] == reverted["columns"], "MySQL names the indexes of foreign keys differently"
    assert late["schema"] == again["schema"]
    assert connection.vendor == "sqlite" or "1091" in stages["halfway"]
    assert late["rows"]["orders"] == 12 and late["rows"]["stock_events"] > 10
    kept = {table: late["rows"][table] for table in early["rows"]}
    assert reverted["rows"] == kept and again["rows"].items() >= kept.items()
    assert stages["broken"] == []
