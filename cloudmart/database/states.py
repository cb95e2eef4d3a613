"""The one way to change a status."""

from typing import Any

from django.db import models

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField, DatabaseTimeField
from cloudmart.kernel.errors import IllegalMove


class HasMoves(models.Model):
    """A row with a status, and in MOVES the statuses that may follow each."""

    MOVES: dict[str, set[str]] = {}

    status = CharField(max_length=16)
    updated_at = DatabaseTimeField(auto_now=True)

    class Meta:
        abstract = True

    pk: Any


def move(record: HasMoves, to: str, **changes: Any) -> None:
    """Move `record` to status `to`, and set `changes` with it, if its status in the database still allows that.

    Raises IllegalMove when it does not.
    """
    if not moved(type(record), [record.pk], to, **changes):
        raise IllegalMove(record=type(record).__name__, id=str(record.pk), to=to)
    record.status = to
    for name, value in changes.items():
        setattr(record, name, value)


def moved(model: type[HasMoves], pks: list[Any], to: str, **changes: Any) -> int:
    """Move those of `pks` whose status allows it, in one UPDATE; returns how many did."""
    sources = [status for status, targets in model.MOVES.items() if to in targets]
    rows = model._default_manager.filter(pk__in=pks, status__in=sources)
    return rows.update(status=to, updated_at=DatabaseNow(), **changes)
