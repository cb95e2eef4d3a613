"""GET /metrics: all metrics, in the text format of Prometheus."""

import os

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.request import Request
from rest_framework.views import APIView

from cloudmart.api.negotiation import OneRepresentation
from cloudmart.api.permissions import IsOperator
from cloudmart.kernel.metrics import READ_AT_SCRAPE


class Metrics(APIView):
    """GET: for operators, and for a Prometheus server that has an operator's token."""

    permission_classes = [IsOperator]
    content_negotiation_class = OneRepresentation

    @extend_schema(summary="Metrics for Prometheus", responses={(200, "text/plain"): OpenApiTypes.STR})
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
