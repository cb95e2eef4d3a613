"""GET /schema: the OpenAPI description, built once in each process."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from threading import Lock

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import condition
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from cloudmart.api.negotiation import OneRepresentation

_building = Lock()


@dataclass(frozen=True, slots=True)
class Document:
    """The description as JSON, and its entity tag."""

    content: bytes
    etag: str


def document() -> Document:
    """Returns the description. A lock lets one thread build it: the generator is not thread-safe."""
    with _building:
        return _built()


@cache
def _built() -> Document:
    description = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(public=True)
    content = OpenApiJsonRenderer().render(description, renderer_context={})
    return Document(content, f'"{sha256(content).hexdigest()[:32]}"')


class SchemaDocument(APIView):
    """GET: open to everybody. A client revalidates its copy each time; the response is 304 if the copy is current."""

    authentication_classes = []
    permission_classes = [AllowAny]
    content_negotiation_class = OneRepresentation

    @extend_schema(exclude=True)
    @method_decorator(condition(etag_func=lambda request: document().etag))
    def get(self, request: Request) -> HttpResponse:
        headers = {"Cache-Control": "no-cache"}
        return HttpResponse(document().content, OpenApiJsonRenderer.media_type, headers=headers)
