"""Idempotency-Key: a request that is sent twice is processed once, and gets the same response.

A request claims its key with a row that is written in its first transaction: both are committed, or neither. A request
of one transaction stores its response there too. The response to an order is stored in the transaction that finishes
its saga. Every other command can be repeated safely, and its response is stored after it.
Semantics: Stripe's, and draft-ietf-httpapi-idempotency-key-header.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.catalogue import CATALOGUE
from cloudmart.api.claims import Claim, KeyInUse
from cloudmart.api.problems import problem_response
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError, KeyClaimed
from cloudmart.providers.calling import nothing

Handler = Callable[..., Response]

ACCEPTED = 202
"""The response to a command, not to an order, that is not stored: a repeat continues the command."""


def idempotent(handler: Handler) -> Handler:
    """Decorates a command of several transactions, of which the first has to run `first_of(request)`."""

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        claim = Claim.of(request)
        if claim is None:
            return handler(view, request, *args, **kwargs)
        request.claim = claim  # type: ignore[attr-defined]
        if response := claim.stored_response():
            return response
        try:
            try:
                response = handler(view, request, *args, **kwargs)
            except DomainError as refusal:
                if not claim.is_settled:
                    claim.complete(problem_response(refusal)) if is_final(refusal) else claim.release()
                raise
            if not claim.is_settled:
                claim.release() if response.status_code == ACCEPTED else claim.complete(response)
            return response
        except KeyClaimed:
            if stored := claim.stored_response():
                return stored
            raise KeyInUse from None  # the other request has not stored anything either: a repeat finds the key free

    return honours_key(handle)


def idempotent_transaction(handler: Handler) -> Handler:
    """Decorates a command of one transaction: the handler runs in it, and its response is stored in it."""

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        return in_one_transaction(request, partial(handler, view, request, *args, **kwargs))

    return idempotent(handle)


@durable
def in_one_transaction(request: Request, act: Callable[[], Response]) -> Response:
    """Acts, and stores the response for the request's key, in one transaction."""
    response = act()
    if claim := claim_of(request):
        claim.write(response)
    return response


def honours_key(handler: Handler) -> Handler:
    """Marks a handler that takes a key, for the documentation."""
    handler.honours_key = True  # type: ignore[attr-defined]
    return handler


def claim_of(request: Request) -> Claim | None:
    """Returns the claim of the request that an idempotent handler is processing; None if it has no key."""
    return cast(Claim | None, getattr(request, "claim", None))


def first_of(request: Request) -> Callable[[], None]:
    """Returns what the first transaction of the request has to run: it claims the key, if there is one."""
    claim = claim_of(request)
    return claim.write if claim else nothing


def is_final(refusal: DomainError) -> bool:
    """Returns True if a repeat would be refused in the same way."""
    kind = CATALOGUE[refusal.code]
    return kind.status in {402, 409} and kind.retry_after is None
