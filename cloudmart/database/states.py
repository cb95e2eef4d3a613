"""The one way to change a status."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from django.db import models

from cloudmart.database.clock import NOW
from cloudmart.database.fields import CharField, DatabaseTimeField
from cloudmart.database.prepared import Update
from cloudmart.kernel.errors import IllegalMove


class HasMoves(models.Model):
    """A row with a status. MOVES says which statuses may follow each."""

    MOVES: dict[str, set[str]] = {}

    status = CharField(max_length=16)
    updated_at = DatabaseTimeField(auto_now=True)

    class Meta:
        abstract = True

    pk: Any

    @classmethod
    def after(cls, status: str) -> set[str]:
        """Every status that MOVES reaches from this one."""
        reached: set[str] = set()
        found = cls.MOVES.get(status, set())
        while found - reached:
            reached |= found
            found = {target for each in found for target in cls.MOVES.get(each, set())}
        return reached

    def may_move(self, to: str) -> bool:
        """Returns True if MOVES allows this status after the present one."""
        return to in self.MOVES.get(self.status, set())


def move(record: HasMoves, to: str, **changes: Any) -> None:
    """Moves `record` to the status `to`, and sets `changes`. Raises IllegalMove if its stored status forbids that."""
    move_all(type(record), [record.pk], to, **changes)
    record.status = to
    for name, value in changes.items():
        setattr(record, name, value)


def move_all(model: type[HasMoves], pks: Collection[Any], to: str, **changes: Any) -> None:
    """Moves all these rows in one UPDATE. Raises IllegalMove unless every row was moved."""
    if _moved(model, pks, to, **changes) != len(pks):
        raise IllegalMove(record=model.__name__, id=", ".join(map(str, pks)), to=to)


def settle(record: HasMoves, to: str, superseded_by: Iterable[str] = (), **changes: Any) -> bool:
    """Moves the row of `record` to its outcome. `record` itself is not changed: the transaction may run again.

    Returns True if it has moved the row. A second call changes nothing: the row has that status, or one that MOVES
    reaches from it. Nor does a call for a row whose status is in `superseded_by`. Raises IllegalMove if the row has
    another outcome.
    """
    model = type(record)
    if _moved(model, [record.pk], to, **changes):
        return True
    status = model._default_manager.values_list("status", flat=True).get(pk=record.pk)
    if status not in {to, *model.after(to), *superseded_by}:
        raise IllegalMove(record=model.__name__, id=str(record.pk), stored_status=status, to=to)
    return False


def _moved(model: type[HasMoves], pks: Collection[Any], to: str, **changes: Any) -> int:
    """Returns how many of the rows had a status that allows it, and were moved."""
    sources = [status for status, targets in model.MOVES.items() if to in targets]
    return _rows_of(model)(pks=list(pks), sources=sources).set(status=to, updated_at=NOW, **changes)


@cache
def _rows_of(model: type[HasMoves]) -> Update:
    return Update(lambda pks, sources: model._default_manager.filter(pk__in=pks, status__in=sources))
