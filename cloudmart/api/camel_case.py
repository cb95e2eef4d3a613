"""Names in camelCase, for clients that ask for them with `Accept: application/json; case=camel`."""

import re
from functools import lru_cache
from typing import Any

FIELD = "field"
"""The member of a validation error whose value is the name, or the path, of a field."""

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
HUMP = re.compile(r"_([a-z])")


@lru_cache(4096)
def camel_case(name: str) -> str:
    """Returns a name that is in snake_case in camelCase, and any other as it is."""
    return HUMP.sub(lambda match: match[1].upper(), name) if SNAKE_CASE.fullmatch(name) else name


def camel_cased(data: Any) -> Any:
    """Returns JSON data with the names of all members in camelCase. Values stay as they are, except names of fields.

    No member has names that are data, such as codes of books; tests/acceptance/test_camel_case.py checks it.
    """
    if isinstance(data, dict):
        return {
            camel_case(name): _path(value) if name == FIELD and isinstance(value, str) else camel_cased(value)
            for name, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [camel_cased(each) for each in data]
    return data


def _path(field: str) -> str:
    return ".".join(map(camel_case, field.split(".")))
