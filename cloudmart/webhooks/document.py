"""The webhooks in the API's description: one for each type of event."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, OpenApiWebhook, extend_schema

from cloudmart.api.webhooks import HEADERS
from cloudmart.outbox.cloud_events import CONTENT_TYPE
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_data import DATA, EVENTS
from cloudmart.webhooks.event_examples import example_of

ACCEPTED = {"2XX": OpenApiResponse(description="The event is stored. Any other response has it sent again, later.")}


def webhook(event_type: EventType) -> OpenApiWebhook:
    return OpenApiWebhook(event_type.value, _described(event_type))


def _described(event_type: EventType) -> Callable[[type], type]:
    """Returns what describes the receiver of this type. It has none of the problems that our own operations have."""

    def describe(view: Any) -> Any:
        view.schema = AutoSchema()
        return extend_schema(
            summary=meaning_of(event_type),
            description="A CloudEvents 1.0 document, signed by the Standard Webhooks specification.",
            tags=["webhooks"],
            request={CONTENT_TYPE: EVENTS[event_type]},
            responses=ACCEPTED,
            examples=[OpenApiExample(event_type.value, example_of(event_type), media_type=CONTENT_TYPE)],
        )(view)

    return describe


def meaning_of(event_type: EventType) -> str:
    """Returns the sentence that says what has happened."""
    return (DATA[event_type].__doc__ or "").strip()


WEBHOOKS = [webhook(event_type) for event_type in EventType]


def add_headers(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Adds the headers of every webhook, which drf-spectacular leaves out. A hook of drf-spectacular."""
    parameters = [
        {"in": "header", "name": name, "schema": {"type": "string"}, "required": True, "description": text}
        for name, text in HEADERS.items()
    ]
    for operations in result.get("webhooks", {}).values():
        for operation in operations.values():
            operation["parameters"] = parameters
    return result
