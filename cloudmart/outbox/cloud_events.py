"""Events as CloudEvents 1.0: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""

from typing import Any

from django.conf import settings

from cloudmart.outbox.models import OutboxEvent
from cloudmart.outbox.types import DATA_VERSIONS, EventType

CONTENT_TYPE = "application/cloudevents+json"
"""Of one event in the structured mode."""


def cloud_event(event: OutboxEvent) -> dict[str, Any]:
    """Returns the event as a document. It is the same each time, for every consumer.

    `sequence` has as many digits as the extension recommends, so that it can also be compared as text.
    """
    return document(
        id=str(event.event_id),
        type=event.type,
        source=settings.EVENT_SOURCE,
        subject=event.subject,
        time=event.time.isoformat(),
        sequence=event.sequence,
        dataschema=f"{settings.EVENT_SOURCE}:{event.type}:{DATA_VERSIONS[EventType(event.type)]}",
        data=event.payload,
        traceparent=event.traceparent,
    )


def document(
    *, sequence: int | None, traceparent: str | None, data: dict[str, Any], **attributes: str
) -> dict[str, Any]:
    """Returns a document with these attributes; `sequence` and `traceparent` are extensions of CloudEvents."""
    extensions = {"sequence": f"{sequence:010}"} if sequence is not None else {}
    return {
        "specversion": "1.0",
        **attributes,
        **extensions,
        **({"traceparent": traceparent} if traceparent else {}),
        "datacontenttype": "application/json",
        "data": data,
    }
