"""Pages for people who are not signed in: what this server is, and what its problem codes mean."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.api.negotiation import OneRepresentation


class PublicPage(APIView):
    """GET: an HTML page, open to everybody. Its problems, such as 405, are JSON like those of the API."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneRepresentation
    template_name: str

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        page: HttpRequest = request._request
        return render(page, self.template_name, self.context())

    def context(self) -> dict[str, Any]:
        return {}


class Start(PublicPage):
    """GET /: links to the documentation, the admin and the probes."""

    template_name = "cloudmart/start.html"


class ErrorCatalogue(PublicPage):
    """GET /docs/errors: every problem code, by its status."""

    template_name = "cloudmart/errors.html"

    def context(self) -> dict[str, Any]:
        problems = sorted(CATALOGUE.items(), key=lambda each: (each[1].status, each[0]))
        return {"problems": [(code, kind.status, meaning_of(code), kind.advice) for code, kind in problems]}
