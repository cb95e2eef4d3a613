"""What probes are told."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.test import APIClient


@pytest.fixture
def probe():
    """Somebody without a token, or with a wrong one."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    return client


def test_a_living_server_says_so_without_touching_the_database(probe):
    answer = probe.get("/healthz")  # pytest-django lets no statement through here
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert answer["Cache-Control"] == "no-store"


def test_a_server_with_its_tables_is_ready(db, probe, django_assert_max_num_queries):
    probe.get("/readyz")
    with django_assert_max_num_queries(4):
        answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_a_server_without_its_database_is_not_ready(db, probe, monkeypatch, lines):
    def gone(*args, **kwargs):
        raise OperationalError("cannot connect to secret-host")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", gone)
        answer = probe.get("/readyz")
        assert probe.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "failed": "database"}
    assert [line["logger"] for line in lines() if line["level"] != "info"] == ["cloudmart.api.health"]


def test_a_server_whose_tables_are_older_than_its_code_is_not_ready(db, probe):
    recorder = MigrationRecorder(connection)
    newest = sorted(name for app, name in recorder.applied_migrations() if app == "sagas")[-1]
    recorder.record_unapplied("sagas", newest)
    answer = probe.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "failed": "migrations"}
    recorder.record_applied("sagas", newest)
    assert probe.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_only_ask(db, probe, path):
    assert probe.head(path).status_code == 200
    assert probe.get(path, headers={"Accept": "text/plain"})["Content-Type"] == "application/json"
    for verb in (probe.post, probe.put, probe.patch, probe.delete, probe.options):
        refused = verb(path)
        assert refused.status_code == 405 and refused["Content-Type"] == "application/problem+json"
