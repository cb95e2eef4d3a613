"""The base classes of the errors that the domain raises."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID


class DomainError(Exception):
    """The request cannot be done."""

    code = "refused"

    def __init_subclass__(cls, code: str = "", **kwargs: Any) -> None:
        """A subclass without a `code` has that of its base class."""
        super().__init_subclass__(**kwargs)
        if code:
            cls.code = code

    def __init__(self, detail: str = "", **details: Any) -> None:
        """`detail` replaces the class's own sentence; `details` are JSON values that help the caller go on."""
        self.detail = detail or self.meaning()
        self.details = details
        super().__init__(self.detail)

    @classmethod
    def meaning(cls) -> str:
        """Returns what every error of this class has in common: the first line of its docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def subclasses(cls) -> Iterator[type["DomainError"]]:
        """Yields every class below this one, base classes first."""
        for each in cls.__subclasses__():
            yield each
            yield from each.subclasses()

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "detail": self.detail, **self.details}


class IllegalMove(DomainError, code="illegal_move"):
    """The present status does not allow this change."""


class OrderInDoubt(Exception):
    """Work on an order ended in an unexpected error, `cause`; the order is, or may be, written."""

    code = "order_in_doubt"

    def __init__(self, order_id: UUID, cause: Exception) -> None:
        self.order_id, self.cause = order_id, cause
        super().__init__(f"order {order_id}: {type(cause).__name__}")


class DatabaseBusy(Exception):
    """The database refused every attempt of a transaction. A later attempt may succeed."""


class KeyClaimed(Exception):
    """Another request has claimed the idempotency key; the open transaction rolls back."""
