"""Requests are UTF-8: a Content-Type that names another charset is hidden from Django.

Django decodes the query and the form with the codec of that name, which need not be a text encoding: `zlib` is one. It
does so when it builds the request, before any middleware. The middleware `require_utf8` then rejects the request.
"""

import codecs
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.utils.http import parse_header_parameters

REJECTED_CONTENT_TYPE = "cloudmart.rejected_content_type"
"""The key in the WSGI environment of a Content-Type that is hidden from Django."""


def hide_charsets(application: WSGIApplication) -> WSGIApplication:
    """Wraps `application`, and moves each Content-Type with another charset than UTF-8 to `REJECTED_CONTENT_TYPE`."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not is_utf8(environ.get("CONTENT_TYPE", "")):
            environ[REJECTED_CONTENT_TYPE] = environ.pop("CONTENT_TYPE")
        return application(environ, start_response)

    return serve


def is_utf8(content_type: str) -> bool:
    """Returns True if the header names UTF-8 or no charset."""
    try:
        _, parameters = parse_header_parameters(content_type)
        return codecs.lookup(parameters.get("charset", "utf-8")).name == "utf-8"
    except (LookupError, ValueError):
        return False
