"""The reservations that a book had at a past moment, computed from its events, without the database."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class HeldCopies(NamedTuple):
    """A reservation that holds `copies`, without interruption since the event `version` of its book.

    As an event: it changes the reservation by so many copies, fewer than none if it ends or shrinks.
    """

    version: int
    reservation: Any
    """What identifies the reservation."""
    copies: int


def holds_after(newest_first: Iterable[tuple[int, Any, int]], reserved: int) -> list[HeldCopies]:
    """Returns the reservations that were live after the newest of these events, the oldest first.

    The events are all changes of a book's reservations, newest first; `reserved` are the copies reserved after the
    newest. No event before the beginning of the oldest live reservation is read: a reservation holds at least what its
    events from any one on add up to, because it held zero or more before that one. Once these numbers add up to
    `reserved`, each is exact.
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
