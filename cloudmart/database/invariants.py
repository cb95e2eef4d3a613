"""What is true of every row, and finding the rows of which it is not.

An invariant is one statement, which the database answers from one snapshot, under READ COMMITTED too. So an audit
needs no transaction around it: it holds nobody up, keeps no old rows alive, and what it finds was wrong at one moment.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from django.db.models import Model, QuerySet, Sum
from django.db.models.expressions import Combinable, Subquery
from django.db.models.functions import Coalesce

Rows = QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of looking at one invariant."""

    name: str
    promise: str
    checked: int
    offenders: tuple[str, ...]
    more: bool
    """Whether there are more offenders than are named."""
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.offenders


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise about some rows, and how to find those that break it."""

    name: str
    promise: str
    rows: Rows
    breaking: Callable[[Rows], Rows]
    named_by: tuple[str, ...]

    def look(self, limit: int) -> Finding:
        """Count the rows, and name at most `limit` of those that break the promise."""
        began = perf_counter()
        offenders = self.breaking(self.rows).order_by().values_list(*self.named_by)
        names = ["#".join(map(str, row)) for row in offenders[: limit + 1]]
        checked = self.rows.count()
        seconds = round(perf_counter() - began, 3)
        return Finding(self.name, self.promise, checked, tuple(names[:limit]), len(names) > limit, seconds)


def invariant(rows: type[Model] | Rows, *, named_by: tuple[str, ...] = ("pk",)) -> Callable[..., Invariant]:
    """Makes an invariant of a function: its docstring is the promise, and it tells which of the rows break it."""
    checked = rows if isinstance(rows, QuerySet) else rows._default_manager.all()

    def promise(breaking: Callable[[Rows], Rows]) -> Invariant:
        return Invariant(breaking.__name__, str(breaking.__doc__), checked, breaking, named_by)

    return promise


def total(rows: Rows, what: str | Combinable, per: str) -> Coalesce:
    """The sum of `what` over those rows that belong to an outer one by their column `per`."""
    return Coalesce(Subquery(rows.order_by().values(per).annotate(total=Sum(what)).values("total")), 0)
