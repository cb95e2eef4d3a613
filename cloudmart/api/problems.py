"""Every error over HTTP, as RFC 9457 problem details."""

import logging
import sys
from typing import Any
from uuid import UUID, uuid4

from django.db import Error, IntegrityError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from cloudmart.api.camel_case import camel_cased
from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.api.negotiation import accept_of, wants_camel_case
from cloudmart.api.renderers import in_camel_case
from cloudmart.api.requests import request_id
from cloudmart.api.throttling import throttle_unauthenticated
from cloudmart.database.errors import Remedy, remedy_for
from cloudmart.database.transactions import drop_connection_after
from cloudmart.kernel.errors import DatabaseBusy, DomainError, OrderInDoubt

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's hook: turns every exception of a view into a problem response."""
    response = problem_response(error, context)
    response.data = with_request_id(response.data)
    return response


def problem_response(error: Exception, context: dict[str, Any] | None = None) -> Response:
    """Returns the problem response for `error`, without the id of the request."""
    if isinstance(error, OrderInDoubt):
        return order_in_doubt_response(error.order_id, problem_response(error.cause, context))
    if context and isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        try:
            throttle_unauthenticated(context["request"], context["view"])
        except exceptions.Throttled as too_many:
            error = too_many
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if found := _known_problem(error):
        return Response(**found)
    if (standard := drf_exception_handler(error, context or {})) is not None:
        return _as_problem(error, standard)
    return Response(**internal_error(error))


def _known_problem(error: Exception) -> dict[str, Any] | None:
    """Returns the problem of an error of the domain, the input or the database; None for any other error."""
    if isinstance(error, DomainError):
        return problem(error.code, error.detail, **error.details)
    if isinstance(error, exceptions.ValidationError):
        return problem("invalid", errors=_field_errors(error))
    found = database_problem(error)
    if found is None and isinstance(error, IntegrityError):
        logger.warning("conflict", exc_info=error)
        return problem("conflict")
    return found


def _as_problem(error: Exception, standard: Response) -> Response:
    """Returns the problem of an exception of DRF, with the headers of DRF's own response."""
    response = Response(**problem(getattr(error, "default_code", "error"), str(getattr(error, "detail", error))))
    for header in ("WWW-Authenticate", "Retry-After", "Allow"):
        if header in standard.headers:
            response[header] = standard.headers[header]
    return response


def database_problem(error: BaseException | None) -> dict[str, Any] | None:
    """Returns the problem of a database error that may not recur; None if `error` is something else."""
    if isinstance(error, DatabaseBusy):
        return problem("busy")
    if not isinstance(error, Error) or (remedy := remedy_for(error)) is None:
        return None
    if remedy is Remedy.REPEAT:
        return problem("busy")
    logger.error("the database is unavailable: %s", error)
    drop_connection_after(error)
    return problem("database_unavailable")


def operator_message(error: Exception) -> str:
    """Returns the text that the admin shows an operator. It names the log entry of an unexpected error."""
    body = problem_response(error).data
    return gettext("%(detail)s In the log: %(error_id)s.") % body if "error_id" in body else str(body["detail"])


def order_in_doubt_response(order_id: UUID, response: Response) -> Response:
    """Returns the response to a request that failed with `response` after its order may have been written."""
    if response.status_code == 503:
        response.data["order_id"] = str(order_id)
        return response
    error_id = response.data.get("error_id") or request_id()
    return Response(**problem(OrderInDoubt.code, order_id=str(order_id), error_id=error_id))


def problem(code: str, detail: str = "", **details: Any) -> dict[str, Any]:
    """Returns the arguments of a problem response. The standard members win over `details` of the same name.

    The sentences are in the language of the request. A detail without a translation stays in English.
    """
    kind, meaning = CATALOGUE[code], gettext(meaning_of(code))
    body = {
        "type": f"urn:cloudmart:problem:{code}",
        "title": meaning,
        "status": kind.status,
        "detail": gettext(detail) if detail else meaning,
        "code": code,
        "advice": gettext(kind.advice),
    }
    headers = {"Retry-After": str(kind.retry_after)} if kind.retry_after else {}
    return {
        "data": {**body, **details, **body},
        "status": kind.status,
        "content_type": CONTENT_TYPE,
        "headers": headers,
    }


def with_request_id(body: dict[str, Any]) -> dict[str, Any]:
    """Returns `body`, which may come from an earlier request, with the id of the present request."""
    return {**body, "request_id": request_id()}


def internal_error(error: BaseException | None) -> dict[str, Any]:
    """Logs an unexpected error with its traceback. Returns a problem with the id by which the log entry is found."""
    error_id = request_id() or uuid4().hex
    logger.error("unexpected error %s", error_id, exc_info=error)
    return problem("internal_error", error_id=error_id)


def _field_errors(error: exceptions.ValidationError) -> list[dict[str, Any]]:
    return [
        {"field": (each.attr or "").removesuffix(".non_field_errors"), "code": each.code, "detail": each.detail}
        for each in flatten_errors(error.detail)
    ]


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404: there is no such path."""
    return json_response(
        problem("not_found", gettext("There is nothing at %(path)s.") % {"path": request.path}), accept_of(request)
    )


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400: the request is too malformed for any view."""
    return json_response(problem("error"), accept_of(request))


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500: something failed outside of any API view."""
    return json_response(database_problem(sys.exc_info()[1]) or internal_error(None), accept_of(request))


def json_response(arguments: dict[str, Any], accept: str) -> JsonResponse:
    """Returns a `problem` as Django's response, for code outside of the API's views."""
    body = with_request_id(arguments.pop("data"))
    if wants_camel_case(accept):
        body, arguments["content_type"] = camel_cased(body), in_camel_case(arguments["content_type"])
    return JsonResponse(body, **arguments)
