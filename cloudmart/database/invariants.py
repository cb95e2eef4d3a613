"""Invariants of the data, and finding the rows that break them.

An invariant is one statement, which sees one snapshot, even under READ COMMITTED. So an audit needs no transaction: it
blocks nobody, keeps no old row versions alive, and each row that it reports broke the invariant at one point in time.
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
    """The result of checking one invariant."""

    name: str
    promise: str
    checked: int
    offenders: tuple[str, ...]
    more: bool
    """True if there are more offenders than are named."""
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.offenders


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise about rows, and a query for the rows that break it."""

    name: str
    promise: str
    rows: Rows
    breaking: Callable[[Rows], Rows]
    named_by: tuple[str, ...]

    def check(self, limit: int) -> Finding:
        """Counts the rows, and names at most `limit` of those that break the promise."""
        started = perf_counter()
        offenders = self.breaking(self.rows).order_by().values_list(*self.named_by)
        names = ["#".join(map(str, row)) for row in offenders[: limit + 1]]
        checked = self.rows.count()
        seconds = round(perf_counter() - started, 3)
        return Finding(self.name, self.promise, checked, tuple(names[:limit]), len(names) > limit, seconds)


def invariant(rows: type[Model] | Rows, *, named_by: tuple[str, ...] = ("pk",)) -> Callable[..., Invariant]:
    """Turns a function into an invariant: its docstring is the promise, and it returns the rows that break it."""
    checked = rows if isinstance(rows, QuerySet) else rows._default_manager.all()

    def promise(breaking: Callable[[Rows], Rows]) -> Invariant:
        return Invariant(breaking.__name__, str(breaking.__doc__), checked, breaking, named_by)

    return promise


def total(rows: Rows, what: str | Combinable, per: str) -> Coalesce:
    """Returns the sum of `what` over the rows whose column `per` matches the outer row."""
    return Coalesce(Subquery(rows.order_by().values(per).annotate(total=Sum(what)).values("total")), 0)
