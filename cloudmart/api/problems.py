"""Every "no" over HTTP: RFC 9457 problem details, and which status each of our codes has."""

import logging
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from cloudmart.kernel.errors import DatabaseBusy, DomainError
from cloudmart.kernel.transactions import may_pass

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

STATUS_OF = {
    "already_shipped": 409,
    "book_not_found": 404,
    "customer_not_found": 404,
    "illegal_move": 409,
    "no_shipping_address": 400,
    "order_cancelled": 409,
    "order_not_found": 404,
    "out_of_stock": 409,
    "payment_declined": 402,
    "payment_not_found": 404,
    "payment_unavailable": 402,
    "price_changed": 409,
    "reservation_expired": 409,
    "saga_not_found": 404,
    "shipment_not_found": 404,
    "shipping_failed": 409,
    "stock_is_reserved": 409,
    "unknown_coupon": 400,
}
"""What a refusal of the domain is in HTTP."""


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's hook: whatever a view raises becomes a problem answer."""
    if isinstance(error, DomainError):
        return Response(**problem(STATUS_OF[error.code], error.code, error.detail, **error.facts))
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        return Response(**problem(400, "invalid", "The request has errors.", errors=_field_errors(error)))
    if isinstance(error, DatabaseBusy) or (isinstance(error, OperationalError) and may_pass(error)):
        answer = Response(**problem(503, "busy", "The shop is too busy just now; please try again."))
        answer["Retry-After"] = "1"
        return answer
    if isinstance(error, IntegrityError):
        logger.warning("conflict", exc_info=error)
        return Response(**problem(409, "conflict", "This conflicts with something that was done meanwhile."))
    if (standard := drf_exception_handler(error, context)) is not None:
        code = getattr(error, "default_code", "error")
        answer = Response(**problem(standard.status_code, code, str(getattr(error, "detail", error))))
        for header in ("WWW-Authenticate", "Retry-After", "Allow"):
            if header in standard.headers:
                answer[header] = standard.headers[header]
        return answer
    return Response(**unforeseen(error))


def problem(status: int, code: str, detail: str, **facts: Any) -> dict[str, Any]:
    """The arguments of a response that says no."""
    body = {
        "type": f"urn:cloudmart:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **facts,
    }
    return {"data": body, "status": status, "content_type": CONTENT_TYPE}


def unforeseen(error: BaseException | None) -> dict[str, Any]:
    """A problem that nobody foresaw: its id stands in the log, with the traceback that the client never sees."""
    error_id = uuid4().hex
    logger.error("unforeseen error %s", error_id, exc_info=error)
    return problem(500, "internal_error", "Something went wrong on our side.", error_id=error_id)


def _field_errors(error: exceptions.ValidationError) -> list[dict[str, Any]]:
    return [
        {"field": (each.attr or "").removesuffix(".non_field_errors"), "code": each.code, "detail": each.detail}
        for each in flatten_errors(error.detail)
    ]


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404: there is no such path."""
    return _plain(problem(404, "not_found", f"There is nothing at {request.path}."))


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500: something failed outside of any API view."""
    return _plain(unforeseen(None))


def _plain(answer: dict[str, Any]) -> JsonResponse:
    return JsonResponse(answer["data"], status=answer["status"], content_type=answer["content_type"])
