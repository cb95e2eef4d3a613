"""A MySQL database that cannot store every character is rejected before any table is created."""

from subprocess import CalledProcessError

import pytest
from django.core.management import call_command
from django.db import connection

from tests.processes import database_url, run_python


@pytest.fixture
def database_in(transactional_db):
    """Creates an empty database with this character set, and returns its URL."""
    if connection.vendor != "mysql":
        pytest.skip("SQLite always stores Unicode")
    name = f"{connection.settings_dict['NAME']}_charset"

    def execute(statement):
        with connection.cursor() as cursor:
            cursor.execute(statement)

    def database_in(character_set):
        execute(f"CREATE DATABASE {name} CHARACTER SET {character_set}")
        return f"{database_url()}_charset"

    yield database_in
    execute(f"DROP DATABASE {name}")


@pytest.mark.parametrize("character_set", ["latin1", "utf8mb3"])
@pytest.mark.parametrize("command", [["migrate"], ["check", "--database", "default"]])
def test_a_database_with_another_character_set_is_rejected(database_in, character_set, command):
    url = database_in(character_set)
    with pytest.raises(CalledProcessError) as refused:
        run_python("manage.py", *command, env={"DATABASE_URL": url})
    assert "cloudmart.E009" in refused.value.stderr and character_set in refused.value.stderr
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema LIKE '%%\\_charset'")
        assert cursor.fetchone() == (0,)


def test_a_utf8mb4_database_passes_the_check(transactional_db):
    call_command("check", databases=["default"])
