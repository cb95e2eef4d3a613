"""The other names and forms that a request may have, besides the documented ones.

A field has its other names wherever an input has the field; a serializer names its `wrapper`. The API's description
takes both from this file. Problems name a field by its own name.
"""

from collections import Counter
from collections.abc import Container
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError

ALIASES = {"product_id": "book_id", "product_name": "title", "unit_price_cents": "price"}
"""The other names of fields."""


class Wrapper(StrEnum):
    """A member that may contain the whole body."""

    ORDER = "order"  #: A command on an order: {"order": {"reason": …}}.
    ORDER_ITEM = "order_item"  #: A command on a line of an order.


def names_of(field: str) -> list[str]:
    """Returns the field's own name and its other ones."""
    return [field, *(alias for alias, name in ALIASES.items() if name == field)]


def renamed(data: dict[str, Any], fields: Container[str]) -> dict[str, Any]:
    """Returns the object with the own names of these fields. Raises ValidationError if a field is given twice."""
    if not ALIASES.keys() & data.keys():
        return data
    own = {key: ALIASES[key] if ALIASES.get(key) in fields else key for key in data}
    if twice := [name for name, count in Counter(own.values()).items() if count > 1]:
        raise ValidationError({name: [_given_twice(names_of(name))] for name in twice}, "twice")
    return {own[key]: value for key, value in data.items()}


def _given_twice(names: list[str]) -> str:
    return gettext("This is given twice: %(names)s are the same.") % {"names": gettext(" and ").join(names)}


def unwrapped(body: Any, wrapper: str | None) -> Any:
    """Returns what the wrapper contains, or the body itself if it has none.

    Raises ValidationError for fields beside the wrapper, and for a wrapper that contains no object.
    """
    if wrapper is None or not isinstance(body, dict) or wrapper not in body:
        return body
    if beside := body.keys() - {wrapper}:
        raise ValidationError(
            {name: [gettext("Give this within %(object)s.") % {"object": wrapper}] for name in beside}
        )
    if not isinstance(body[wrapper], dict):
        raise ValidationError({wrapper: [gettext("Give an object.")]})
    return body[wrapper]


def schema_with_aliases(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the OpenAPI schema of an object in which a field may have any of its names, and only one."""
    properties, required = dict(schema.get("properties", {})), list(schema.get("required", []))
    rules = list(schema.get("allOf", []))
    for alias, name in ALIASES.items():
        if name not in properties:
            continue
        properties[alias] = {**properties[name], "description": f"Another name of `{name}`."}
        if name in required:
            required.remove(name)
            rules.append({"oneOf": [{"required": [name]}, {"required": [alias]}]})
        else:
            rules.append({"not": {"required": [name, alias]}})
    changed = {"properties": properties, "required": required, "allOf": rules}
    return {key: value for key, value in {**schema, **changed}.items() if value or key not in changed}


def wrapped(forms: list[dict[str, Any]], wrapper: str) -> dict[str, Any]:
    """Returns the OpenAPI schema of a wrapper that contains a body of one of these forms."""
    return {
        "type": "object",
        "properties": {str(wrapper): one_of(forms)},
        "required": [str(wrapper)],
        "additionalProperties": False,
    }


def one_of(forms: list[dict[str, Any]]) -> dict[str, Any]:
    return {"oneOf": forms} if len(forms) > 1 else forms[0]
