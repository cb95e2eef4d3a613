"""All text that is sent to us is UTF-8: a Content-Type that names another charset is hidden from Django.

Django decodes the query, and the whole form, by the codec of that name; `zlib` is one, and no text comes of it. It
does so where it builds the request, before any middleware. `utf8_required` refuses the request then.
"""

import codecs
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.utils.http import parse_header_parameters

REFUSED = "cloudmart.refused_content_type"
"""Where the environment keeps a Content-Type that Django is not shown."""


def hide_charsets(application: WSGIApplication) -> WSGIApplication:
    """A WSGI application to which every Content-Type is UTF-8, or not there but `REFUSED`."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not is_utf8(environ.get("CONTENT_TYPE", "")):
            environ[REFUSED] = environ.pop("CONTENT_TYPE")
        return application(environ, start_response)

    return serve


def is_utf8(content_type: str) -> bool:
    """Whether it names UTF-8, or no charset at all."""
    try:
        _, parameters = parse_header_parameters(content_type)
        return codecs.lookup(parameters.get("charset", "utf-8")).name == "utf-8"
    except (LookupError, ValueError):
        return False
