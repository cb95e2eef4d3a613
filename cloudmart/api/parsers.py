"""JSON as clients send it: camelCase keys are understood as the snake_case ones that we document."""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser as PlainJSONParser

HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


class JSONParser(PlainJSONParser):
    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Raises ParseError, and RequestDataTooBig before anything is parsed."""
        if int(parser_context["request"].META.get("CONTENT_LENGTH") or 0) > settings.MAX_BODY_SIZE:
            raise RequestDataTooBig
        try:
            return snake_cased(super().parse(stream, media_type, parser_context))
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except UnicodeEncodeError:
            raise ParseError("Half a surrogate pair is no text.") from None


def snake_cased(data: Any) -> Any:
    """`data` with every key in snake_case. Raises ParseError when two keys mean the same field.

    Raises UnicodeEncodeError for text that could be neither stored nor shown.
    """
    if isinstance(data, str):
        data.encode()
    if isinstance(data, list):
        return [snake_cased(item) for item in data]
    if not isinstance(data, dict):
        return data
    fields: dict[str, Any] = {}
    for key, value in data.items():
        key.encode()
        name = HUMP.sub(r"_\1", key).lower() if HUMP.search(key) else key
        if name in fields:
            raise ParseError(f"The field {name!r} is given twice.")
        fields[name] = snake_cased(value)
    return fields
