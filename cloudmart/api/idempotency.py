"""Idempotency-Key: a request that is sent twice is done once, and answered the same.

The claim on a key is a row written in the first transaction of what the request does: both commit, or neither. What is
done in one transaction stores its answer there too; an order's answer is stored in the transaction that ends its saga,
by whoever drives it then; every other command can be repeated without harm, and its answer is stored after it.
Semantics: Stripe's, and draft-ietf-httpapi-idempotency-key-header.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial, wraps
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from prometheus_client import Counter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.catalogue import CATALOGUE
from cloudmart.api.problems import CONTENT_TYPE, problem_response, with_request_id
from cloudmart.database.clock import READ_AT, DatabaseNow
from cloudmart.database.transactions import beginning_with, durable
from cloudmart.kernel.errors import DomainError
from cloudmart.models import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
QUOTED = re.compile('"[^"]+"')
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")

STILL_GOING_ON = 202
"""Of a command that is not tied to an order this is no answer to keep: a repeat is to take it further."""

LONGEST_REQUEST = timedelta(minutes=1)
"""After this long without an answer the process is taken for dead, and a repeat may run what can be repeated."""

IDEMPOTENT_REPLAYS = Counter(
    "cloudmart_idempotent_replays", "Requests that were answered with what the first one under their key was told."
)

Handler = Callable[..., Response]


class KeyMalformed(DomainError):
    """The Idempotency-Key must have 1 to 255 characters, none of them a control character."""

    code = "idempotency_key_malformed"


class KeyReused(DomainError):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


class KeyInUse(DomainError):
    """The request with this Idempotency-Key is still being worked on."""

    code = "idempotency_key_in_use"


class KeyTaken(Exception):
    """Another request with this key has come first; everything of ours is rolled back."""


class Claim:
    """One request's claim on its key."""

    def __init__(self, scope: str, fingerprint: str) -> None:
        self.scope, self.fingerprint = scope, fingerprint
        self.order_id: UUID | None = None
        """The order whose saga stores the answer, when it ends."""
        self._before: IdempotencyKey | None = None
        self._committed: IdempotencyKey | None = None
        """Its row, once that is there for others to see."""

    @classmethod
    def of(cls, request: Request) -> "Claim | None":
        """None when the request brings no key. Raises KeyMalformed, and ParseError for a body that cannot be read."""
        header = request.headers.get(HEADER)
        if header is None:
            return None
        key = header.strip()
        if QUOTED.fullmatch(key):
            key = key[1:-1]
        if not 1 <= len(key) <= LONGEST_KEY or CONTROL_CHARACTERS.search(_as_text(key)):
            raise KeyMalformed
        asked = json.dumps([request.method, request.path, request.data or None], sort_keys=True)
        return cls(_digest(f"{request.user.pk}\0{key}"), _digest(asked))

    def tie(self, order_id: UUID) -> str:
        """The answer will be how this order ends. Returns the scope under which its saga stores it."""
        self.order_id = order_id
        return self.scope

    def untie(self) -> None:
        """The order was refused before anything of it was written: that is the answer."""
        self.order_id = None

    def earlier_answer(self) -> Response | None:
        """What the same request was answered before; None when it has not been made, or broke off.

        Raises KeyReused when it was another request, and KeyInUse while it runs.
        """
        self._before = known = IdempotencyKey.objects.annotate(**READ_AT).filter(scope=self.scope).first()
        if known is None or (known.expires_at <= known.read_at and not known.is_open_order):
            return None
        if known.fingerprint != self.fingerprint:
            raise KeyReused
        if known.status_code is not None:
            return _replay(known)
        if known.order_id:
            raise KeyInUse(order_id=str(known.order_id))
        if known.read_at < known.created_at + LONGEST_REQUEST:
            raise KeyInUse
        return None

    def take(self, answer: Response | None = None) -> None:
        """Write the claim, with the answer when there is one. Raises KeyTaken when somebody else has been faster."""
        if self._before:
            IdempotencyKey.objects.filter(pk=self._before.pk).delete()
        row = IdempotencyKey(
            scope=self.scope,
            fingerprint=self.fingerprint,
            order_id=self.order_id,
            created_at=DatabaseNow(),
            expires_at=DatabaseNow() + settings.IDEMPOTENCY_KEY_TTL,
            **_stored(answer),
        )
        try:
            row.save(force_insert=True)
        except IntegrityError:
            raise KeyTaken from None
        transaction.on_commit(partial(setattr, self, "_committed", row))

    def keep(self, answer: Response) -> None:
        """Store the answer, of a claim that may not have been written."""
        if not store(self.scope, answer, self.order_id):
            with suppress(KeyTaken):
                durable(self.take)(answer)

    def drop(self) -> None:
        """Free the key: what was asked for has not been done, and may be asked for again."""
        if self._committed:
            IdempotencyKey.objects.filter(pk=self._committed.pk).delete()


def store(scope: str, answer: Response, order_id: UUID | None) -> bool:
    """Finish the claim that is tied to this order, or to none; returns whether there was one.

    An answer that is stored already stays; and a key that has been used again since is another order's.
    """
    claims = IdempotencyKey.objects.filter(scope=scope, order_id=order_id, status_code=None)
    return bool(claims.update(**_stored(answer)))


def purge_keys(limit: int) -> int:
    """Delete at most `limit` expired keys, oldest first, but none whose order has not ended; returns how many."""
    expired = IdempotencyKey.objects.filter(expires_at__lte=DatabaseNow()).order_by("expires_at")
    expired = expired.exclude(order_id__isnull=False, status_code=None)
    deleted, _ = IdempotencyKey.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:limit])).delete()
    return deleted


def idempotent(handler: Handler) -> Handler:
    """A command of several transactions, that can be repeated without harm, or that ties its key to an order."""

    def run(claim: Claim, act: Callable[[], Response]) -> Response:
        with beginning_with(claim.take):
            answer = act()
        if claim.order_id is None:
            claim.drop() if answer.status_code == STILL_GOING_ON else claim.keep(answer)
        return answer

    return _with_key(handler, run, lambda act: act())


def idempotent_transaction(handler: Handler) -> Handler:
    """A command that is one transaction: the handler runs in it, and its answer is stored in it."""

    @durable
    def run(claim: Claim, act: Callable[[], Response]) -> Response:
        answer = act()
        claim.take(answer)
        return answer

    return _with_key(handler, run, durable(lambda act: act()))


def honours_key(handler: Handler) -> Handler:
    """Note, for the documentation, that this handler takes a key; it may leave to others to deal with it."""
    handler.honours_key = True  # type: ignore[attr-defined]
    return handler


def claim_of(request: Request) -> Claim | None:
    """The claim of the request that an idempotent handler is working on; None when it brought no key."""
    return cast(Claim | None, getattr(request, "claim", None))


def _with_key(
    handler: Handler,
    run: Callable[[Claim, Callable[[], Response]], Response],
    run_keyless: Callable[[Callable[[], Response]], Response],
) -> Handler:
    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        def act() -> Response:
            return handler(view, request, *args, **kwargs)

        claim = Claim.of(request)
        if claim is None:
            return run_keyless(act)
        request.claim = claim  # type: ignore[attr-defined]
        if answer := claim.earlier_answer():
            return answer
        try:
            return run(claim, act)
        except KeyTaken:
            return claim.earlier_answer() or _again()
        except DomainError as refusal:
            if claim.order_id is None:
                claim.keep(problem_response(refusal)) if is_final(refusal) else claim.drop()
            raise

    return honours_key(handle)


def is_final(refusal: DomainError) -> bool:
    """Whether a repeat gets this refusal again: business has been done, and the answer was no."""
    kind = CATALOGUE[refusal.code]
    return kind.status in {402, 409} and kind.retry_after is None


def _again() -> Response:
    """The one who was faster has come to nothing: a repeat finds the key free."""
    raise KeyInUse


def _stored(answer: Response | None) -> dict[str, Any]:
    if answer is None:
        return {}
    body = JSONRenderer().render(answer.data).decode()
    return {"status_code": answer.status_code, "location": answer.headers.get("Location", ""), "body": body}


def _replay(known: IdempotencyKey) -> Response:
    IDEMPOTENT_REPLAYS.inc()
    headers = {REPLAYED: "true", **({"Location": known.location} if known.location else {})}
    body = json.loads(known.body or "null")
    if (known.status_code or 0) < 400:
        return Response(body, known.status_code, headers=headers)
    return Response(with_request_id(body), known.status_code, headers=headers, content_type=CONTENT_TYPE)


def _as_text(header: str) -> str:
    """The header as its sender wrote it: WSGI takes every byte for a Latin-1 character."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
