"""The events of the API's description, to hold others against."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator


@cache
def description() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call, no-any-return]


def operation_of(event_type: str) -> dict[str, Any]:
    """Returns what the description says of this type of webhook."""
    found: dict[str, Any] = description()["webhooks"][event_type]["post"]
    return found


def faults_of(event: dict[str, Any]) -> list[str]:
    """Returns what of the document is not as described. A member that is not described is a fault too."""
    (body,) = operation_of(event["type"])["requestBody"]["content"].values()
    schema = {**body["schema"], "components": closed(description()["components"])}
    checker = Draft202012Validator.FORMAT_CHECKER
    errors = Draft202012Validator(schema, format_checker=checker).iter_errors(event)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in errors]


def closed(schema: Any) -> Any:
    """Returns the schema without leave for members that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    is_object = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    return {**inner, "additionalProperties": False} if is_object else inner
