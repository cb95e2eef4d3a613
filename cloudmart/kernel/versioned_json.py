"""JSON that outlives the code which wrote it: it carries the version of its schema, and is read as the newest one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VERSION = "schema"
"""The member that tells the version."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """One kind of stored JSON."""

    upcasts: tuple[Upcast, ...]
    """The first makes version 1 of what was written before there were versions, the second version 2 of that, …"""

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """As it is stored from now on."""
        return {**data, VERSION: len(self.upcasts)}

    def read(self, stored: dict[str, Any]) -> dict[str, Any]:
        """What was stored, whenever that was, as if it had been written now."""
        data = {name: value for name, value in stored.items() if name != VERSION}
        for upcast in self.upcasts[stored.get(VERSION, 0) :]:
            data = upcast(data)
        return data
