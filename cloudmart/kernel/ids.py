"""Ids that sort by their creation time, so that inserts stay at the end of an index."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562, section 5.7)."""
    return uuid7()


def first_id(at: datetime) -> UUID:
    """Returns the id that sorts before every other one created at this time, to the millisecond, or later."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80 | 7 << 76 | 2 << 62)
