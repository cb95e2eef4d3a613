"""The reservations that a book had at a past moment, computed from its events, without the database."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class HeldCopies(NamedTuple):
    """A reservation that holds `copies`, without interruption since the event `version` of its book."""

    version: int
    reservation: Any
    """What identifies the reservation."""
    copies: int


def holds_after(newest_first: Iterable[tuple[int, Any, int]], reserved: int) -> list[HeldCopies]:
    """Returns the reservations that were live after the newest of these events, the oldest first.

    The events are all changes of a book's reservations, newest first: the version, the reservation, and by how many
    copies it changes. `reserved` are the copies reserved after the newest event.

    A reservation held zero copies or more before any event, so it holds at least what its events from there on add up
    to. Once these lower bounds add up to `reserved`, each is exact, and no older event is read: none before the
    beginning of the oldest live reservation.
    """
    if not reserved:
        return []
    later: dict[Any, int] = {}
    held: dict[Any, HeldCopies] = {}
    missing = reserved
    for version, reservation, copies in newest_first:
        later[reservation] = total = later.get(reservation, 0) + copies
        if total <= 0:
            continue
        known = held[reservation].copies if reservation in held else 0
        if total > known:
            held[reservation] = HeldCopies(version, reservation, total)
            missing -= total - known
            if not missing:
                break
    return sorted(held.values())
