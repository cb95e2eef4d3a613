"""Liveness and readiness probes, for process managers and load balancers."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from drf_spectacular.utils import extend_schema
from health_check.base import HealthCheck
from health_check.checks import Database
from health_check.exceptions import HealthCheckException, ServiceUnavailable
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.negotiation import OneRepresentation
from cloudmart.models import IdempotencyKey

logger = logging.getLogger(__name__)


class Probe(APIView):
    """Open to everybody; reveals nothing confidential."""

    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneRepresentation


class ProbeOutput(serializers.Serializer[Any]):
    status = serializers.CharField()
    failed = serializers.CharField(required=False, help_text="What is not ready: database, writing or migrations")


class Healthz(Probe):
    """GET: the process responds. No dependency is checked, so that its failure does not restart a healthy server."""

    @extend_schema(summary="Liveness", responses=ProbeOutput)
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


class Readyz(Probe):
    """GET: the database responds, accepts writes and has every migration of this code; otherwise 503."""

    @extend_schema(summary="Readiness", responses={200: ProbeOutput, 503: ProbeOutput})
    def get(self, request: Request) -> Response:
        for check in (Database(), Migrations(), Writing()):
            try:
                check.run()
            except HealthCheckException as error:
                logger.warning("not ready: %s", error)
                return Response({"status": "not ready", "failed": type(check).__name__.lower()}, 503)
        return Response({"status": "ready"})


@dataclass
class Migrations(HealthCheck):
    """Checks that every migration is applied."""

    def run(self) -> None:
        """Raises ServiceUnavailable."""
        try:
            applied = MigrationRecorder(connection).applied_migrations()
        except Error as error:
            raise ServiceUnavailable(str(error)) from error
        if missing := newest_migrations() - applied.keys():
            raise ServiceUnavailable(f"migrations are missing: {', '.join(sorted(app for app, _ in missing))}")


@dataclass
class Writing(HealthCheck):
    """Checks that the database accepts writes, with an update that matches no row."""

    def run(self) -> None:
        """Raises ServiceUnavailable."""
        try:
            IdempotencyKey.objects.filter(pk=0).update(order_id=None)
        except Error as error:
            connection.close()  # the next connection may reach a server that accepts writes
            raise ServiceUnavailable(str(error)) from error


@cache
def newest_migrations() -> set[tuple[str, str]]:
    """Returns (app, name) of the last migration of every app in this process's code."""
    return set(MigrationLoader(None).graph.leaf_nodes())
