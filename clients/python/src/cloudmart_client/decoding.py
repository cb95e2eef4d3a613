"""From JSON to the dataclasses of `models`."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

MORE = "more"
"""The field for members that a dataclass has no field for."""


def decode(kind: type[T], data: Any) -> T:
    """Returns the JSON data as a dataclass. Ignores unknown members. Raises TypeError or ValueError for other data."""
    return cast(T, _decode(kind, data))


def _decode(kind: Any, data: Any) -> Any:
    if data is None:
        return None
    if is_dataclass(kind):
        return _object(kind, data)
    if get_origin(kind) in {Union, UnionType}:
        return _decode(_main_kind(kind), data)
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return [_decode(item, each) for each in data]
    return kind.fromisoformat(data) if kind in {date, datetime} else data


def _object(kind: Any, data: dict[str, Any]) -> Any:
    kinds = _kinds(kind)
    known = {name: _decode(kinds[name], value) for name, value in data.items() if name in kinds and name != MORE}
    more = {name: value for name, value in data.items() if name not in known}
    return kind(**known, **({MORE: more} if MORE in kinds else {}))


def _main_kind(union: Any) -> Any:
    """Returns what a value is if it is not null. A union of texts is a text."""
    return next(kind for kind in get_args(union) if kind is not NoneType)


@cache
def _kinds(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}
