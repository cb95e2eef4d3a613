"""The root of every "no" that the domain says."""

from typing import Any
from uuid import UUID


class DomainError(Exception):
    """The request cannot be done."""

    code = "refused"

    def __init__(self, detail: str = "", **details: Any) -> None:
        """`detail` replaces the class's own sentence; `details` are JSON values that help the caller go on."""
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.details = details
        super().__init__(self.detail)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "detail": self.detail, **self.details}


class IllegalMove(DomainError):
    """Its present status does not allow that."""

    code = "illegal_move"


class OrderInDoubt(Exception):
    """The work on an order was broken off by what nobody foresaw, its cause; the order is, or may be, written."""

    code = "order_in_doubt"

    def __init__(self, order_id: UUID, cause: Exception) -> None:
        self.order_id, self.cause = order_id, cause
        super().__init__(f"order {order_id}: {type(cause).__name__}")


class DatabaseBusy(Exception):
    """The database refused the transaction again and again; it may be tried later."""
