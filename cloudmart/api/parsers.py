"""The JSON parser. It accepts camelCase keys in place of the documented snake_case ones."""

import re
from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser as PlainJSONParser
from rest_framework.utils import json

HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


class JSONParser(PlainJSONParser):
    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Raises ParseError."""
        try:
            data = json.loads(stream.read().decode(), object_pairs_hook=snake_cased)
            check_text(data)
        except RecursionError:
            raise ParseError(gettext("The JSON is nested too deeply.")) from None
        except UnicodeEncodeError:
            raise ParseError(gettext("A string contains half a surrogate pair.")) from None
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None
        return data


def snake_cased(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the object with keys in snake_case. Raises ParseError if two keys name the same field."""
    fields: dict[str, Any] = {}
    for key, value in pairs:
        name = HUMP.sub(r"_\1", key).lower() if HUMP.search(key) else key
        if name in fields:
            raise ParseError(gettext("The field %(name)s is given twice.") % {"name": ascii(name)})
        fields[name] = value
    return fields


def check_text(data: Any) -> None:
    """Raises UnicodeEncodeError for text that cannot be encoded as UTF-8."""
    if isinstance(data, str):
        data.encode()
    elif isinstance(data, list):
        for item in data:
            check_text(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            check_text(key)
            check_text(value)
