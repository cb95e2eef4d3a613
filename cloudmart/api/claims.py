"""The claim of an Idempotency-Key, and the response that a repeat gets."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from prometheus_client import Counter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.problems import CONTENT_TYPE, with_request_id
from cloudmart.database.clock import NOW, READ_AT, DatabaseNow, from_now
from cloudmart.database.prepared import Insert, Select, Update
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError, KeyClaimed
from cloudmart.models import IdempotencyKey
from cloudmart.providers.calling import nothing

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
QUOTED = re.compile('"[^"]+"')
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")

LONGEST_REQUEST = timedelta(minutes=1)
"""After this time without a response the process counts as dead, and a repeat may run the command again."""

FIND = Select(lambda scope: IdempotencyKey.objects.filter(scope=scope).annotate(**READ_AT))
INSERT = Insert(IdempotencyKey)
OPEN_CLAIM = Update(
    lambda scope, order_id: IdempotencyKey.objects.filter(scope=scope, order_id=order_id, status_code=None)
)

IDEMPOTENT_REPLAYS = Counter(
    "cloudmart_idempotent_replays", "Requests that got the stored response of an earlier request with the same key."
)


class KeyMalformed(DomainError, code="idempotency_key_malformed"):
    """The Idempotency-Key must have 1 to 255 characters, none of them a control character."""


class KeyReused(DomainError, code="idempotency_key_reused"):
    """This Idempotency-Key was used for another request."""


class KeyInUse(DomainError, code="idempotency_key_in_use"):
    """The request with this Idempotency-Key is still being processed."""


class Claim:
    """One request's claim of its key."""

    def __init__(self, scope: str, fingerprint: str) -> None:
        self.scope, self.fingerprint = scope, fingerprint
        self.order_id: UUID | None = None
        """The order whose saga stores the response."""
        self._expired: IdempotencyKey | None = None
        """The earlier row that this claim replaces."""
        self._committed: IdempotencyKey | None = None

    @classmethod
    def of(cls, request: Request) -> "Claim | None":
        """Returns None if the request has no key. Raises KeyMalformed, and ParseError for a malformed body."""
        header = request.headers.get(HEADER)
        if header is None:
            return None
        key = header.strip()
        if QUOTED.fullmatch(key):
            key = key[1:-1]
        if not 1 <= len(key) <= LONGEST_KEY or CONTROL_CHARACTERS.search(_as_text(key)):
            raise KeyMalformed
        content = json.dumps([request.method, request.path, request.data or None], sort_keys=True)
        return cls(_digest(f"{request.user.pk}\0{key}"), _digest(content))

    def stored_response(self) -> Response | None:
        """Returns the response to the same request; None if it was not made, or was interrupted.

        Raises KeyReused if the key was used for another request, and KeyInUse while the request is processed.
        """
        self._expired = known = FIND.first(scope=self.scope)
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

    def write(self, response: Response | None = None) -> None:
        """Claims the key in the open transaction, with the response if there is one.

        Raises KeyClaimed if another request was faster.
        """
        if self._expired:
            IdempotencyKey.objects.filter(pk=self._expired.pk).delete()
        row = IdempotencyKey(
            scope=self.scope,
            fingerprint=self.fingerprint,
            order_id=self.order_id,
            created_at=NOW,
            expires_at=from_now(settings.IDEMPOTENCY_KEY_TTL),
            **_columns(response),
        )
        if not INSERT.unless_exists(row):
            raise KeyClaimed
        transaction.on_commit(partial(setattr, self, "_committed", row))

    @property
    def is_settled(self) -> bool:
        """Returns True if the response is stored with the claim, or the order's saga will store it."""
        row = self._committed
        return row is not None and (row.order_id is not None or row.status_code is not None)

    @durable
    def complete(self, response: Response) -> None:
        """Stores the response, whether the claim was written or not.

        Raises KeyClaimed if another request with the key was faster.
        """
        self.order_id = None
        if not store(self.scope, response, None):
            self.write(response)

    @durable
    def release(self) -> None:
        """Frees the key: the request may be repeated, and is processed again."""
        if self._committed:
            IdempotencyKey.objects.filter(pk=self._committed.pk).delete()


def for_order(claim: Claim | None, order_id: UUID) -> tuple[Callable[[], None], str]:
    """Has the saga of the order store the response.

    Returns what the first transaction of the saga has to run, and the scope under which it stores the response.
    """
    if claim is None:
        return nothing, ""
    claim.order_id = order_id
    return claim.write, claim.scope


def store(scope: str, response: Response, order_id: UUID | None) -> bool:
    """Stores the response for the claim of this order, or of none. Returns False if there is no such claim.

    A stored response is not replaced; and a key that has been used again since belongs to another order.
    """
    return bool(OPEN_CLAIM(scope=scope, order_id=order_id).set(**_columns(response)))


def purge_keys(limit: int) -> int:
    """Deletes at most `limit` expired keys, oldest first, except those of unfinished orders. Returns how many."""
    expired = IdempotencyKey.objects.filter(expires_at__lte=DatabaseNow()).order_by("expires_at")
    expired = expired.exclude(order_id__isnull=False, status_code=None)
    deleted, _ = IdempotencyKey.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:limit])).delete()
    return deleted


def _columns(response: Response | None) -> dict[str, Any]:
    if response is None:
        return {}
    body = JSONRenderer().render(response.data).decode()
    return {"status_code": response.status_code, "location": response.headers.get("Location", ""), "body": body}


def _replay(known: IdempotencyKey) -> Response:
    IDEMPOTENT_REPLAYS.inc()
    headers = {REPLAYED: "true", **({"Location": known.location} if known.location else {})}
    body = json.loads(known.body or "null")
    if (known.status_code or 0) < 400:
        return Response(body, known.status_code, headers=headers)
    return Response(with_request_id(body), known.status_code, headers=headers, content_type=CONTENT_TYPE)


def _as_text(header: str) -> str:
    """Returns the header as its sender wrote it: WSGI decodes every byte as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
