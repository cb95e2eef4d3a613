"""Stored JSON with the version of its schema; older versions are upcast when read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VERSION = "schema"
"""The member that holds the version."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class VersionedJson:
    """The versions of one kind of stored JSON."""

    upcasts: tuple[Upcast, ...]
    """The first converts unversioned data to version 1, the second version 1 to version 2, and so on."""

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """Returns `data` with the current version."""
        return {**data, VERSION: len(self.upcasts)}

    def read(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Returns stored data, upcast to the current version."""
        data = {name: value for name, value in stored.items() if name != VERSION}
        for upcast in self.upcasts[stored.get(VERSION, 0) :]:
            data = upcast(data)
        return data
