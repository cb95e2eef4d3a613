"""A header for demonstrations and tests: an order without stock fails in its saga, instead of before it is stored.

It is honoured only where ALLOW_MAGIC_TOKENS is set.
"""

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

HEADER = "CloudMart-Skip-Stock-Check"

SKIP_STOCK_CHECK = OpenApiParameter(
    HEADER,
    {"type": "string", "example": "true"},
    OpenApiParameter.HEADER,
    description="`true`: skips the check of the availability before the order is stored, so that its saga runs out of "
    "stock and compensates. For demonstrations; ignored unless the server allows magic tokens.",
)


def skips_stock_check(request: Request) -> bool:
    """Returns True if the client asks for it and the settings allow it."""
    return settings.ALLOW_MAGIC_TOKENS and request.headers.get(HEADER, "").lower() == "true"
