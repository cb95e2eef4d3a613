"""The language of a response; on the admin's pages, also the time zone of the shop."""

from collections.abc import Callable
from contextlib import nullcontext

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from cloudmart.api.browsers import ADMIN

WITH_TEXT = ("text/html", "application/json", "application/problem+json")
"""The media types whose content may depend on the language."""


def language_and_time_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Activates the language of the cookie, else that of Accept-Language, and in the admin the shop's time zone.

    The API stays in UTC. The previous language and time zone return after the response.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        language = translation.get_language_from_request(request)
        in_admin = request.path_info.startswith(ADMIN)
        time_zone = timezone.override(settings.SHOP_TIME_ZONE) if in_admin else nullcontext()
        with translation.override(language), time_zone:
            response = get_response(request)
        if response.headers.get("Content-Type", "").startswith(WITH_TEXT):
            response.headers.setdefault("Content-Language", language)
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response

    return handle
