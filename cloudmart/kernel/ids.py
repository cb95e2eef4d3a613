"""Ids that sort by their creation time, so that inserts stay at the end of an index."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562, section 5.7)."""
    return uuid7()
