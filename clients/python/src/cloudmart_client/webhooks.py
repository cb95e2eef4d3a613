"""Webhooks of CloudMart: verified, and read as events.

An event may be sent several times, with the same `id`: store the ids that you have processed, in the transaction that
processes them, and ignore an event whose id is there. `sequence` counts the events of a subject without a gap.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cloudmart_client.decoding import decode
from cloudmart_client.errors import InvalidWebhook
from cloudmart_client.models import EVENTS, KnownEvent

__all__ = ["Event", "InvalidWebhook", "OtherEvent", "event_in", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEvent:
    """An event of a type that this version of the client does not know."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    sequence: str | None = None
    dataschema: str | None = None
    traceparent: str | None = None


Event = KnownEvent | OtherEvent


def verify(body: bytes | str, headers: Mapping[str, str], secret: str | Iterable[str]) -> Event:
    """Returns the event of a webhook that is signed, within five minutes of now, with the secret or one of several.

    `body` is the request's, byte for byte. Raises InvalidWebhook: respond 400.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    document = next((found for each in secrets if (found := _signed(each, body, headers)) is not None), None)
    if document is None:
        raise InvalidWebhook("The signature is missing, wrong, or too old.")
    return event_in(document)


def event_in(document: Mapping[str, Any]) -> Event:
    """Returns a CloudEvents document as an event. Raises InvalidWebhook if it lacks something."""
    kind: type[Event] = EVENTS.get(str(document.get("type")), OtherEvent)
    try:
        return decode(kind, document)
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidWebhook(f"This is no event: {error}") from error


def _signed(secret: str, body: bytes | str, headers: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Returns the body as JSON, if it is an object and signed with the secret."""
    try:
        document = Webhook(secret).verify(body, dict(headers))
    except (WebhookVerificationError, ValueError):
        return None
    return document if isinstance(document, dict) else None
