"""Compiling a queryset whose values are not known yet, for `cloudmart.database.prepared`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias, cast

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.expressions import Combinable, Expression
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

from cloudmart.database.results import Result

Field: TypeAlias = "models.Field[Any, Any]"

LISTS = (list, tuple, set, frozenset)

TAKEN_AS_IT_IS = {models.CharField: str, models.TextField: str, models.IntegerField: int}
"""The type of value that every driver takes unchanged, by field."""

IN_UTC_AS_TEXT = {"mysql", "sqlite"}
"""The vendors whose adapters take a time as text, without a time zone."""

Shape = tuple[tuple[str, Any], ...]
"""What the SQL of a statement depends on: the arguments by name. Only None and expressions stand there themselves."""

VALUE = object()
"""Stands in a shape for any single value, and its length for a list."""


class Slot:
    """The place of a value among the parameters of a compiled statement."""

    __slots__ = ("key", "prepare", "type")

    def __init__(self, key: Any, field: Field, *, is_stored: bool) -> None:
        target = field
        while target.remote_field:
            target = cast(Any, target).target_field
        self.key = key
        self.prepare = target.get_db_prep_save if is_stored else target.get_db_prep_value
        if type(target).get_db_prep_value is models.DateTimeField.get_db_prep_value:
            self.prepare = partial(_prepared_time, self.prepare)
        self.type = next((type_ for kind, type_ in TAKEN_AS_IT_IS.items() if isinstance(target, kind)), None)


def is_computed(field: Field) -> bool:
    """Returns True if the stored value may be another one than that of the instance."""
    return type(field).pre_save is not models.Field.pre_save or field.has_db_default()


def _prepared_time(prepare: Callable[..., Any], value: Any, connection: Any) -> Any:
    """Returns what the field prepares. In UTC, which is the rule, its four conversions come to this."""
    is_utc = value.__class__ is datetime and value.tzinfo is UTC and connection.timezone is UTC
    return str(value)[:-6] if is_utc and connection.vendor in IN_UTC_AS_TEXT else prepare(value, connection)


class Parameter(Expression):
    """Stands for a value, or for a list of `length` values, with which the statement will be executed.

    A value to store has the field in which it is stored; any other gets the one that it is compared with.
    """

    def __init__(self, key: Any, field: Field | None = None, *, length: int | None = None) -> None:
        super().__init__(field)
        self.key, self.length, self.is_stored = key, length, field is not None

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Parameter:
        return self

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if self.length is None:
            return "%s", [Slot(self.key, self.output_field, is_stored=self.is_stored)]
        slots = [Slot((self.key, at), self.output_field, is_stored=False) for at in range(self.length)]
        return f"({', '.join(['%s'] * self.length)})", slots


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL, and its parameters: slots, and the constants of expressions."""

    sql: str
    params: Sequence[Any]

    def execute(self, connection: Any, values: Any, *, defers: bool = False) -> Any:
        """Executes the statement with the values of its slots, by key. Returns its Result.

        A statement whose result nobody needs `defers`: the backend may execute it with the next one, and return None.
        """
        params = self._filled(connection, values)
        is_watched = connection.queries_logged or connection.execute_wrappers
        if not is_watched and (execute := getattr(connection, "execute_directly", None)):
            return execute(self.sql, params, defers=defers)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            return Result(cursor.rowcount, cursor.fetchall() if cursor.description else (), cursor.lastrowid)

    def _filled(self, connection: Any, values: Any) -> list[Any]:
        params = []
        for param in self.params:
            if param.__class__ is Slot:
                value = values[param.key]
                is_ready = value is None or value.__class__ is param.type
                params.append(value if is_ready else param.prepare(value, connection))
            else:
                params.append(param)
        return params


class Selection:
    """A compiled SELECT, and how its rows become instances or tuples."""

    def __init__(self, select: Compiled, compiler: Any, *, as_tuples: bool) -> None:
        self._select, self._locks, self._model = select, compiler.query.select_for_update, None
        columns = [column for column, _, _ in compiler.select[: compiler.col_count]]
        self._converters = [
            (at, [_for_any_connection(convert) for convert in converters], column)
            for at, (converters, column) in compiler.get_converters(columns).items()
        ]
        self._annotations = list(compiler.annotation_col_map.items())
        if not as_tuples:
            info = compiler.klass_info
            self._model = info["model"]
            self._own = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
            self._names = [column.target.attname for column in columns[self._own]]
            self._populators = cast(Any, get_related_populators)(info, compiler.select, DEFAULT_DB_ALIAS)

    def rows(self, connection: Any, values: dict[Any, Any]) -> list[Any]:
        """Executes the statement with the values of its slots, by key. Returns the rows."""
        if self._locks and connection.features.has_select_for_update and not connection.in_atomic_block:
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        found = self._select.execute(connection, values).rows
        return [self._as_row(self._converted(row, connection)) for row in found]

    def _converted(self, row: Sequence[Any], connection: Any) -> list[Any]:
        converted = list(row)
        for at, converters, column in self._converters:
            for convert in converters:
                converted[at] = convert(converted[at], column, connection)
        return converted

    def _as_row(self, row: list[Any]) -> Any:
        if self._model is None:
            return tuple(row)
        instance = self._model.from_db(DEFAULT_DB_ALIAS, self._names, row[self._own])
        for populator in self._populators:
            populator.populate(row, instance)
        for name, at in self._annotations:
            setattr(instance, name, row[at])
        return instance


def _for_any_connection(convert: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the converter without the connection that it was compiled with, which would stay open for its sake."""
    if not isinstance(getattr(convert, "__self__", None), BaseDatabaseOperations):
        return convert
    method = cast(Any, convert).__func__
    return lambda value, column, connection: method(connection.ops, value, column, connection)


def compiled(compiler: Any) -> Compiled | None:
    """Returns the compiled query; None if it certainly concerns no row."""
    _bind(compiler.query.where)
    try:
        return Compiled(*compiler.as_sql())
    except EmptyResultSet:
        return None


def _bind(conditions: Any) -> None:
    """Gives each parameter in these conditions the field that it is compared with."""
    for condition in conditions.children:
        if hasattr(condition, "children"):
            _bind(condition)
        elif isinstance(parameter := getattr(condition, "rhs", None), Parameter):
            parameter.output_field = condition.lhs.output_field


def shape_of(arguments: dict[str, Any]) -> Shape:
    return tuple([(name, _marker(value)) for name, value in arguments.items()])


def _marker(value: Any) -> Any:
    if value is None or isinstance(value, Combinable):
        return value
    return len(value) if isinstance(value, LISTS) else VALUE


def placeholders(shape: Shape) -> dict[str, Any]:
    """Returns the arguments of a statement of this shape, with parameters in place of values."""
    return {name: _placeholder(name, marker) for name, marker in shape}


def _placeholder(name: str, marker: Any) -> Any:
    if marker is VALUE:
        return Parameter(name)
    if isinstance(marker, int):
        return Parameter(name, length=marker) if marker else []
    return marker


def values_of(arguments: dict[str, Any]) -> dict[Any, Any]:
    """Returns the values of these arguments by the keys of their slots."""
    values: dict[Any, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, LISTS):
            values.update(((name, at), each) for at, each in enumerate(value))
        else:
            values[name] = value
    return values
