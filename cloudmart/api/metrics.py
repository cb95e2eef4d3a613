"""GET /metrics: everything that is counted, in the text format of Prometheus."""

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
    """GET: for operators, and for the Prometheus that has an operator's token."""

    permission_classes = [IsOperator]
    content_negotiation_class = OneRepresentation

    @extend_schema(summary="All that is counted, for Prometheus", responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        told = generate_latest(counted()) + generate_latest(READ_AT_SCRAPE)
        return HttpResponse(told, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def counted() -> CollectorRegistry:
    """What all processes of the server have counted together, or this process alone when nothing is shared."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return together
