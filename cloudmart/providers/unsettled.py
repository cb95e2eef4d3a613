"""Intents without an outcome, which anybody can resume: each row says all that its provider has to be asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.providers.remote import RemoteOperation


@dataclass(frozen=True, slots=True)
class Unsettled:
    """One kind of intents: the rows that have no outcome yet, and the operation that gives them one."""

    name: str
    rows: Callable[[], QuerySet[Any, Any]]
    operation: RemoteOperation
    """Its `begin` takes a Found, and returns the intent; None when it has its outcome meanwhile."""

    order_id: str = "order_id"
    """The rows' lookup of their order's id."""

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Found:
    """A row that had no outcome when somebody looked."""

    pk: UUID
    order_id: UUID
