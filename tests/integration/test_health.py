"""The liveness and readiness probes."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.test import APIClient


@pytest.fixture
def probe():
    """A client with an invalid token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    return client


def test_healthz_responds_without_using_the_database(probe):
    response = probe.get("/healthz")  # pytest-django lets no statement through here
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response["Cache-Control"] == "no-store"


def test_readyz_succeeds_with_a_migrated_database(db, probe, django_assert_max_num_queries):
    probe.get("/readyz")
    with django_assert_max_num_queries(4):
        response = probe.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_readyz_fails_without_the_database(db, probe, monkeypatch, lines):
    def fail(*args, **kwargs):
        raise OperationalError("cannot connect to secret-host")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        response = probe.get("/readyz")
        assert probe.get("/healthz").status_code == 200
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "failed": "database"}
    assert [line["logger"] for line in lines() if line["level"] != "info"] == ["cloudmart.api.health"]


def test_readyz_fails_if_a_migration_is_missing(db, probe):
    recorder = MigrationRecorder(connection)
    newest = sorted(name for app, name in recorder.applied_migrations() if app == "sagas")[-1]
    recorder.record_unapplied("sagas", newest)
    response = probe.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "failed": "migrations"}
    recorder.record_applied("sagas", newest)
    assert probe.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_read_only(db, probe, path):
    assert probe.head(path).status_code == 200
    assert probe.get(path, headers={"Accept": "text/plain"})["Content-Type"] == "application/json"
    for send in (probe.post, probe.put, probe.patch, probe.delete, probe.options):
        refused = send(path)
        assert refused.status_code == 405 and refused["Content-Type"] == "application/problem+json"
