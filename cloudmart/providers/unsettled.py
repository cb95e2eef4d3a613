"""Intents without an outcome, which anybody can resume: each row holds all that its provider has to be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.providers.operation import RemoteOperation


@dataclass(frozen=True, slots=True)
class Found:
    """A row that had no outcome when it was selected."""

    pk: UUID
    order_id: UUID


@dataclass(frozen=True, slots=True)
class Unsettled:
    """One kind of intent: the rows that have no outcome yet, and the operation that settles them."""

    name: str
    rows: Callable[[], QuerySet[Any, Any]]
    operation: RemoteOperation[Any, Any]
    """Its `begin` takes a Found; it returns None if the row has been settled meanwhile."""

    order_id: str = "order_id"
    """The rows' lookup of their order's id."""

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")
