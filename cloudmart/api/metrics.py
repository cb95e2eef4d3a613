"""GET /metrics: all metrics, in the text format of Prometheus."""

import logging
import os
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.authentication import SessionAuthentication, get_authorization_header
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from cloudmart.api.authentication import TokenAuthentication
from cloudmart.api.negotiation import OneRepresentation
from cloudmart.api.permissions import IsOperator
from cloudmart.database.transactions import drop_connection_after
from cloudmart.kernel.metrics import READ_AT_SCRAPE

logger = logging.getLogger(__name__)


class Scraper(AnonymousUser):
    """A monitoring system that has sent METRICS_TOKEN."""

    pk = "scraper"  # type: ignore[assignment]
    is_authenticated = True  # type: ignore[assignment]


class ScrapeAuthentication(TokenAuthentication):
    """Accepts METRICS_TOKEN too."""

    def authenticate(self, request: Request) -> Any:
        sent, expected = get_authorization_header(request), settings.METRICS_TOKEN
        is_scraper = expected and constant_time_compare(sent, f"Bearer {expected}")
        return (Scraper(), None) if is_scraper else super().authenticate(request)


class MayScrape(IsOperator):
    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Scraper) or super().has_permission(request, view)


class Metrics(APIView):
    """GET: for operators, and for a monitoring system that sends METRICS_TOKEN as its bearer token."""

    authentication_classes = [ScrapeAuthentication, SessionAuthentication]
    permission_classes = [MayScrape]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneRepresentation

    @extend_schema(
        summary="Metrics for Prometheus",
        auth=[{"token": []}],  # type: ignore[list-item]
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(
            generate_latest(counter_registry()) + database_gauges(), content_type=CONTENT_TYPE_PLAIN_0_0_4
        )


def database_gauges() -> bytes:
    """Returns the gauges that are read from the database; none while it is unavailable: counters are served always."""
    try:
        return generate_latest(READ_AT_SCRAPE)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("metrics: the database is unavailable: %s", error)
        drop_connection_after(error)
        return b""


def counter_registry() -> CollectorRegistry:
    """Returns the sums over all processes of the server, or this process's own counters if none are shared."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    sums = CollectorRegistry()
    MultiProcessCollector(sums)
    return sums
