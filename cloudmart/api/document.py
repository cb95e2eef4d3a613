"""GET /schema: the OpenAPI description, built once in each process."""

from functools import cache
from threading import Lock

from django.http import HttpResponse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from cloudmart.api.negotiation import OneRepresentation

_building = Lock()


def document() -> bytes:
    """Returns the description as JSON, in English. A lock lets one thread build it: the generator cannot run twice."""
    with _building, translation.override("en"):
        return _built()


@cache
def _built() -> bytes:
    description = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(public=True)
    return OpenApiJsonRenderer().render(description, renderer_context={})


class SchemaDocument(APIView):
    """GET: open to everybody. A client revalidates its copy each time; the response is 304 if the copy is current."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneRepresentation

    @extend_schema(exclude=True)
    @method_decorator(conditional_page)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(document(), OpenApiJsonRenderer.media_type, headers={"Cache-Control": "no-cache"})
