"""Every "no" over HTTP, as RFC 9457 problem details."""

import logging
import sys
from typing import Any
from uuid import UUID, uuid4

from django.db import Error, IntegrityError
from django.http import Http404, HttpRequest, JsonResponse
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from cloudmart.api.catalogue import CATALOGUE
from cloudmart.api.requests import request_id
from cloudmart.api.throttling import check_stranger
from cloudmart.database.errors import Remedy, remedy_for
from cloudmart.kernel.errors import DatabaseBusy, DomainError, OrderInDoubt

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's hook: whatever a view raises becomes a problem answer."""
    answer = answer_to(error, context)
    answer.data = identified(answer.data)
    return answer


def answer_to(error: Exception, context: dict[str, Any]) -> Response:
    """The problem answer that would be the same for any other request."""
    if isinstance(error, DomainError):
        return refused(error)
    if isinstance(error, OrderInDoubt):
        return in_doubt(error.order_id, answer_to(error.cause, context))
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        try:
            check_stranger(context["request"], context["view"])
        except exceptions.Throttled as too_many:
            error = too_many
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        return Response(**problem("invalid", errors=_field_errors(error)))
    if (trouble := database_trouble(error)) is not None:
        return Response(**trouble)
    if isinstance(error, IntegrityError):
        logger.warning("conflict", exc_info=error)
        return Response(**problem("conflict"))
    if (standard := drf_exception_handler(error, context)) is not None:
        code = getattr(error, "default_code", "error")
        answer = Response(**problem(code, str(getattr(error, "detail", error))))
        for header in ("WWW-Authenticate", "Retry-After", "Allow"):
            if header in standard.headers:
                answer[header] = standard.headers[header]
        return answer
    return Response(**unforeseen(error))


def database_trouble(error: BaseException | None) -> dict[str, Any] | None:
    """The problem of a database that may do later what it cannot do now; None if `error` is something else."""
    if isinstance(error, DatabaseBusy):
        return problem("busy")
    if not isinstance(error, Error) or (remedy := remedy_for(error)) is None:
        return None
    if remedy is Remedy.REPEAT:
        return problem("busy")
    logger.error("the database is unavailable: %s", error)
    return problem("database_unavailable")


def in_words(error: Exception) -> str:
    """What an operator reads of it in the admin, where it is no answer. An unforeseen one is in the log."""
    said = answer_to(error, {}).data
    return f"{said['detail']} In the log: {said['error_id']}." if "error_id" in said else str(said["detail"])


def refused(error: DomainError) -> Response:
    """What the domain says no with."""
    return Response(**problem(error.code, error.detail, **error.details))


def in_doubt(order_id: UUID, answer: Response) -> Response:
    """What a request says that broke off with this answer, but whose order is, or may be, written: it names that."""
    if answer.status_code == 503:
        answer.data["order_id"] = str(order_id)
        return answer
    error_id = answer.data.get("error_id") or request_id()
    return Response(**problem(OrderInDoubt.code, order_id=str(order_id), error_id=error_id))


def problem(code: str, detail: str = "", **details: Any) -> dict[str, Any]:
    """The arguments of a response that says no. A fact that is called like a standard member gives way to it."""
    kind = CATALOGUE[code]
    body = {
        "type": f"urn:cloudmart:problem:{code}",
        "title": kind.meaning,
        "status": kind.status,
        "detail": detail or kind.meaning,
        "code": code,
        "advice": kind.advice,
    }
    headers = {"Retry-After": str(kind.retry_after)} if kind.retry_after else {}
    return {
        "data": {**body, **details, **body},
        "status": kind.status,
        "content_type": CONTENT_TYPE,
        "headers": headers,
    }


def identified(body: dict[str, Any]) -> dict[str, Any]:
    """`body`, which may be stored and sent again, with the id of the request that it answers this time."""
    return {**body, "request_id": request_id()}


def unforeseen(error: BaseException | None) -> dict[str, Any]:
    """A problem that nobody foresaw: its id, which is the request's, stands in the log, with the traceback."""
    error_id = request_id() or uuid4().hex
    logger.error("unforeseen error %s", error_id, exc_info=error)
    return problem("internal_error", error_id=error_id)


def _field_errors(error: exceptions.ValidationError) -> list[dict[str, Any]]:
    return [
        {"field": (each.attr or "").removesuffix(".non_field_errors"), "code": each.code, "detail": each.detail}
        for each in flatten_errors(error.detail)
    ]


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404: there is no such path."""
    return plain(problem("not_found", f"There is nothing at {request.path}."))


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400: the request is not one that any view should see."""
    return plain(problem("error"))


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500: something failed outside of any API view."""
    return plain(database_trouble(sys.exc_info()[1]) or unforeseen(None))


def plain(answer: dict[str, Any]) -> JsonResponse:
    """A problem as Django answers it, where DRF does not come in."""
    return JsonResponse(identified(answer.pop("data")), **answer)
