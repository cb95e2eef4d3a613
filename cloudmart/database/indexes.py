"""Which index a query is read by: the conditions that it finds, and the order in which it has their rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet, UniqueConstraint
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, GreaterThanOrEqual, In, IStartsWith, LessThan
from django.db.models.sql import AND
from django.db.models.sql.where import WhereNode

Rows = QuerySet[Any]

RANGES = GreaterThanOrEqual | LessThan
"""Conditions that an index finds by the column after those with one value."""


@dataclass(frozen=True, slots=True)
class Index:
    """The columns of an index, and whether they identify a row."""

    columns: tuple[Any, ...]
    is_unique: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a query by one index: `found` are the conditions that the index finds, in this `order`.

    Without such an index it is the whole table, in the order of its primary key. `others` are the conditions that are
    checked row by row.
    """

    rows: Rows
    order: list[str]
    found: list[Any] = field(default_factory=list)
    others: int = 0

    def ordered(self) -> Rows:
        return self.rows.order_by(*self.order)

    def first(self, most: int) -> tuple[Rows, bool]:
        """Returns the query's rows among the first `most` that the index finds, and whether it finds more."""
        found = self.rows.model._default_manager.filter(*map(_as_q, self.found)).order_by(*self.order)
        values = found.values_list(*(column.lstrip("-") for column in self.order))
        match list(values[most - 1 : most + 1]):
            case [last, _]:
                return self.ordered().filter(_up_to(self.order, last)), True
        return self.ordered(), False


def scan(rows: Rows, order: str = "-pk") -> Scan:
    """Returns how the query is best read. `order` is that of the whole table: pk or -pk."""
    conditions = list(_conditions(rows.query.where))
    named = [(name, each) for each in conditions if (name := _column_of(each, rows))]
    usable = {name: each for name, each in named if not isinstance(each, RANGES)}
    ranges = [(name, each) for name, each in named if isinstance(each, RANGES)]
    scans = [_by_index(index, usable, ranges, rows) for index in indexes_of(rows.model)]
    best = max(scans, key=_preference, default=None)
    if best is None or not best.found:
        return Scan(rows, [order], others=len(conditions))
    return Scan(rows, best.order, best.found, len(conditions) - len(best.found))


def indexes_of(model: type[Model]) -> Iterator[Index]:
    """Yields the model's indexes, the primary key first."""
    options: Any = model._meta
    yield Index((options.pk,), is_unique=True)
    yield from (Index((each,), is_unique=not each.null) for each in options.local_fields if each.unique)
    for constraint in options.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields and constraint.condition is None:
            columns = tuple(options.get_field(name) for name in constraint.fields)
            yield Index(columns, is_unique=not any(column.null for column in columns))
    for index in options.indexes:
        if index.fields and index.condition is None:
            yield Index(tuple(options.get_field(name) for name, _ in index.fields_orders))
    yield from (Index((each,)) for each in options.local_fields if each.db_index and not each.unique)


def _conditions(node: Any) -> Iterator[Any]:
    """Yields the conditions that every row meets. An OR or a NOT of several is one condition."""
    if not isinstance(node, WhereNode):
        yield node
    elif not node.negated and (node.connector == AND or len(node.children) == 1):
        for child in node.children:
            yield from _conditions(child)
    else:
        yield node


def _column_of(condition: Any, rows: Rows) -> str:
    """Returns the column of the table that an index can find by this condition; "" if there is none."""
    if not isinstance(condition, Exact | In | IStartsWith | RANGES) or not condition.rhs_is_direct_value():
        return ""
    column = condition.lhs
    is_own = isinstance(column, Col) and column.alias == rows.query.get_initial_alias()
    return column.target.attname if is_own else ""


def _by_index(index: Index, usable: dict[str, Any], ranges: list[tuple[str, Any]], rows: Rows) -> Scan:
    """Returns the scan of this index. Values of a list, with a prefix or in a range have the order of their column."""
    found: list[Any] = []
    rest = [column.attname for column in index.columns]
    while rest and rest[0] in usable:
        found.append(usable[rest[0]])
        if not isinstance(found[-1], Exact):
            break
        del rest[0]
    else:
        found += [each for name, each in ranges if rest and name == rest[0]]
    ends = index.is_unique or rows.model._meta.pk.attname in rest
    columns = rest if ends and rest else [*rest, "pk"]
    is_prefix = bool(found) and isinstance(found[-1], IStartsWith)
    return Scan(rows, columns if is_prefix else [f"-{column}" for column in columns], found)


def _preference(scan: Scan) -> tuple[int, int, bool]:
    """Prefers the index that finds most conditions, ranges last, and whose next column has no NULLs."""
    column = scan.order[0].lstrip("-")
    is_nullable = column != "pk" and scan.rows.model._meta.get_field(column).null
    ranges = sum(isinstance(each, RANGES) for each in scan.found)
    return len(scan.found) - ranges, ranges, not is_nullable


def _as_q(condition: Any) -> Q:
    return Q((f"{condition.lhs.target.attname}__{condition.lookup_name}", condition.rhs))


def _up_to(order: list[str], values: Sequence[Any]) -> Q:
    """Returns the condition of the rows that come no later in this order than the one with these values."""
    (column, *others), (value, *rest) = order, values
    earlier, same = _earlier(column, value), Q((column.lstrip("-"), value))
    return earlier | (same & _up_to(others, rest) if others else same)


def _earlier(column: str, value: Any) -> Q:
    """NULLs are the last in descending order. In ascending order there are none."""
    if not column.startswith("-"):
        return Q((f"{column}__lt", value))
    name = column[1:]
    return Q((f"{name}__isnull", False)) if value is None else Q((f"{name}__gt", value))
