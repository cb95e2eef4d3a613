"""Whether the server lives, and whether it can serve: for whoever starts, stops and balances servers."""

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
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.negotiation import OneRepresentation
from cloudmart.models import IdempotencyKey

logger = logging.getLogger(__name__)


class Probe(APIView):
    """Open to everybody, and says no more than everybody may know."""

    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    content_negotiation_class = OneRepresentation


class ProbeOutput(serializers.Serializer[Any]):
    status = serializers.CharField()
    failed = serializers.CharField(required=False, help_text="What is not ready: database, writing or migrations")


class Healthz(Probe):
    """GET: the process answers. It touches nothing, so that no failure elsewhere has a sound server restarted."""

    @extend_schema(summary="Whether the server lives", responses=ProbeOutput)
    def get(self, request: Request) -> Response:
        return answer(200, "alive")


class Readyz(Probe):
    """GET: the database answers, takes writes, and has every table that this code expects; else 503."""

    @extend_schema(summary="Whether the server can serve", responses={200: ProbeOutput, 503: ProbeOutput})
    def get(self, request: Request) -> Response:
        for check in (Database(), Migrations(), Writing()):
            try:
                check.run()
            except HealthCheckException as error:
                logger.warning("not ready: %s", error)
                return answer(503, "not ready", failed=type(check).__name__.lower())
        return answer(200, "ready")


@dataclass
class Migrations(HealthCheck):
    """Whether every migration is applied."""

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
    """Whether the database takes writes; the one that asks matches no row."""

    def run(self) -> None:
        """Raises ServiceUnavailable."""
        try:
            IdempotencyKey.objects.filter(pk=0).update(order_id=None)
        except Error as error:
            connection.close()  # the next one may lead to a server that takes writes
            raise ServiceUnavailable(str(error)) from error


@cache
def newest_migrations() -> set[tuple[str, str]]:
    """(app, name) of the last migration of every app, as this process's code has them."""
    return set(MigrationLoader(None).graph.leaf_nodes())


def answer(code: int, status: str, **more: str) -> Response:
    """What a probe is told, and nobody between may remember."""
    return Response({"status": status, **more}, status=code, headers={"Cache-Control": "no-store"})
