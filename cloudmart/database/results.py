"""What a database returns for a statement."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Result(NamedTuple):
    rowcount: int
    """The number of rows that a statement has matched, or returned."""
    rows: Sequence[Sequence[Any]] = ()
    lastrowid: int | None = None
    """The number that the database has chosen for the row inserted last."""
