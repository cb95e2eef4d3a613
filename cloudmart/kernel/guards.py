"""What may forbid a command on an order, asked in the command's first transaction."""

from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID


class OfOrder(Protocol):
    @property
    def order_id(self) -> UUID: ...


Wanted = TypeVar("Wanted", bound=OfOrder)
Intent = TypeVar("Intent")
Guard = Callable[[UUID], None]
"""Takes the order's id. Raises a DomainError where the command is forbidden, and locks what it has looked at."""


def unguarded(order_id: UUID) -> None:
    """Forbids nothing."""


def guarded(begin: Callable[[Wanted], Intent], guard: Guard) -> Callable[[Wanted], Intent]:
    """Returns `begin` with the guard asked before it, in the same transaction."""

    def begin_unless_forbidden(wanted: Wanted) -> Intent:
        guard(wanted.order_id)
        return begin(wanted)

    return begin_unless_forbidden
