"""How several drivers share due work, so that they rarely compete for the same item.

Only speed depends on it: each item has a lease, or is taken by compare-and-set. Drivers that do not know each other,
or not yet, compete for some items.
"""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar
from zlib import crc32

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Share:
    """The share of one of several drivers: its number, from 0, and how many they are."""

    number: int = 0
    drivers: int = 1

    def window(self, most: int) -> int:
        """Returns how many due items to read, so that about `most` of them belong to this driver."""
        return most * self.drivers

    def of(self, items: Sequence[Item], most: int, key: Callable[[Item], Hashable] = attrgetter("pk")) -> list[Item]:
        """Returns at most `most` of these items, which are in order: the first ones that belong to this driver.

        If none do, returns a random part of the others, as large as its share: their driver may have died.
        """
        own = [item for item in items if self._has(key(item))]
        return own[:most] or random.sample(items, min(most, self._part(len(items))))

    def _has(self, key: Hashable) -> bool:
        return crc32(str(key).encode()) % self.drivers == self.number

    def _part(self, number: int) -> int:
        return -(-number // self.drivers)


ALONE = Share()


def alone() -> Share:
    """Returns the share of a driver that knows no other."""
    return ALONE


def itself(key: Any) -> Any:
    """Returns the key of an item that is its own key."""
    return key
