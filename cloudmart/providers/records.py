"""The rows that say what was asked of a provider, and what came of it."""

from functools import cache
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.db import models
from django.db.models import QuerySet

from cloudmart.database.fields import CharField, CodeField, DatabaseTimeField
from cloudmart.database.prepared import Select
from cloudmart.database.states import HasMoves
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.text import LONGEST_CODE
from cloudmart.kernel.viewers import customer_id_of, sees_everything
from cloudmart.providers.operation import Intent


class ProviderRecord(HasMoves):
    """What is asked of a provider for an order. An order has at most one, also when that comes to nothing."""

    refusal: ClassVar[type[DomainError]]
    """The error of what the provider refuses, whose reason is the code in `failure`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField(unique=True)
    customer_id = CodeField(max_length=64)
    idempotency_key = CodeField(max_length=64, unique=True)
    failure = CharField(max_length=LONGEST_CODE, blank=True, help_text="The code of the provider's refusal")
    created_at = DatabaseTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def failure_as_json(self) -> dict[str, Any] | None:
        """Returns the failure as an order's saga has it; None if there is none."""
        return self.refusal(reason=self.failure).as_json() if self.failure else None


Record = TypeVar("Record", bound=ProviderRecord)


def lock_record(model: type[Record], order_id: UUID) -> Record | None:
    """Returns the order's record, locked; None if there is none."""
    return cast(Record | None, _locking(model).first(order_id=order_id))


@cache
def _locking(model: type[ProviderRecord]) -> Select[ProviderRecord]:
    return Select(lambda order_id: model._default_manager.select_for_update().filter(order_id=order_id))


def intent_while(status: str, record: Record | None) -> Intent[Record] | None:
    """Returns the earlier intent to continue; None if the record has no such status."""
    return Intent(record, is_new=False) if record and record.status == status else None


def find_for_viewer(records: QuerySet[Record], order_id: UUID, viewer: Any, missing: type[DomainError]) -> Record:
    """Returns the order's record. Raises `missing`, also if it belongs to another customer."""
    record = records.filter(order_id=order_id).first()
    if record and (sees_everything(viewer) or record.customer_id == customer_id_of(viewer)):
        return record
    raise missing(order_id=str(order_id))
