"""GET /metrics: all metrics, in the text format of Prometheus."""

import os
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
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
from cloudmart.kernel.metrics import READ_AT_SCRAPE


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
        text = generate_latest(counter_registry()) + generate_latest(READ_AT_SCRAPE)
        return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def counter_registry() -> CollectorRegistry:
    """Returns the sums over all processes of the server, or this process's own counters if none are shared."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    sums = CollectorRegistry()
    MultiProcessCollector(sums)
    return sums
