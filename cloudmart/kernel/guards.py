"""What may forbid a command on an order."""

from collections.abc import Callable
from uuid import UUID

Guard = Callable[[UUID], None]
"""Takes the order's id, in the command's first transaction.

Raises a DomainError if the command is forbidden, and locks what it has read.
"""


def unguarded(order_id: UUID) -> None:
    """Forbids nothing."""
