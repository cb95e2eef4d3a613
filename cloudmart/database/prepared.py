"""Statements that the ORM compiles once, and that are executed with new values from then on.

    FIND = Select(lambda order_id: Order.objects.filter(pk=order_id))
    FIND(order_id=order_id)  # [<Order>]

    MOVE = Update(lambda order_id, status: Order.objects.filter(pk=order_id, status=status))
    MOVE(order_id=order_id, status="pending").set(status="completed", updated_at=DatabaseNow())  # 1

    INSERT = Insert(OrderItem)
    INSERT(item, another_item)

The ORM needs more time to compile a statement than the driver to execute it. A statement is compiled once for each
shape and database vendor. The shape is what its SQL depends on: the number of rows, the length of each list, which
arguments are None, and the expressions among them, such as DatabaseNow(). The queryset must depend on nothing else.
Make an expression once, not for each call, and never from a value that varies: SHAPES shapes are kept.

Statements use the default database. They raise Django's exceptions, and its query log and execute wrappers see them.
Like `bulk_create()` and `update()` they send no signals and do not call `save()`.
In a transaction on MySQL a statement that returns nothing is sent together with the next one, or with COMMIT, which
raises its error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models, transaction
from django.db.models import Case, QuerySet, When
from django.db.models.expressions import Combinable
from django.db.models.query import ModelIterable, ValuesListIterable
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

from cloudmart.database.compiling import (
    VALUE,
    Compiled,
    Field,
    Parameter,
    Selection,
    Shape,
    compiled,
    is_computed,
    placeholders,
    shape_of,
    values_of,
)
from cloudmart.database.errors import is_duplicate

SHAPES = 128
"""How many shapes of a statement are kept: those used last."""

ROWS = 50
"""Rows of one INSERT: so many shapes of it are compiled at most, one for each number of rows."""

Model = TypeVar("Model", bound=models.Model)
Row = TypeVar("Row")


class Insert:
    """Inserts instances of a model, or objects with its columns as attributes. The database fills an AutoField."""

    def __init__(self, model: type[models.Model]) -> None:
        meta = model._meta
        self._model, self._auto_field = model, meta.auto_field
        self._fields = [each for each in meta.local_concrete_fields if not (each.generated or each is meta.auto_field)]
        self._names = [field.attname for field in self._fields]
        self._computed = [(at, field) for at, field in enumerate(self._fields) if is_computed(field)]
        self._compiled = lru_cache(SHAPES)(self._compile)

    def __call__(self, *rows: Any) -> None:
        """Inserts the rows, up to ROWS in one statement; fewer if the database limits the number of parameters."""
        for statement, connection, values in self._statements(rows):
            statement.execute(connection, values, defers=True)
        self._mark_as_stored(rows)

    def unless_exists(self, *rows: Any) -> bool:
        """Inserts the rows. Returns False, having inserted none, if one of them violates a unique constraint.

        The open transaction can continue, and read the row that exists. A single row gets the primary key that the
        database has chosen.
        """
        statements = list(self._statements(rows))
        try:
            with transaction.atomic() if len(statements) > 1 else nullcontext():
                for statement, connection, values in statements:
                    result = statement.execute(connection, values)
        except IntegrityError as error:
            if not is_duplicate(error):
                raise
            return False
        self._mark_as_stored(rows)
        if self._auto_field and len(rows) == 1:
            rows[0].pk = result.lastrowid
        return True

    def _statements(self, rows: Sequence[Any]) -> Iterator[tuple[Compiled, Any, list[Any]]]:
        """Yields the statements, each with its connection and values."""
        connection = connections[DEFAULT_DB_ALIAS]
        most = max(1, min(ROWS, connection.ops.bulk_batch_size(self._fields, rows)))
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            values = [value for row in some for value in self._values(row)]
            expressions = tuple([(key, value) for key, value in enumerate(values) if isinstance(value, Combinable)])
            yield self._compiled(connection.vendor, len(some), expressions), connection, values

    def _mark_as_stored(self, rows: Sequence[Any]) -> None:
        for row in rows:
            if isinstance(row, models.Model):
                row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS

    def _values(self, row: Any) -> list[Any]:
        values = [getattr(row, name) for name in self._names]
        for at, field in self._computed:
            values[at] = field.pre_save(row, True)
        return values

    def _compile(self, vendor: str, number: int, expressions: tuple[tuple[int, Combinable], ...]) -> Compiled:
        values: dict[int, Any] = {key: Parameter(key, field) for key, field in enumerate(self._fields * number)}
        values.update(expressions)
        width = len(self._fields)
        rows = [
            SimpleNamespace(**{field.attname: values[start + at] for at, field in enumerate(self._fields)})
            for start in range(0, number * width, width)
        ]
        query = InsertQuery(self._model)
        query.insert_values(self._fields, cast(Any, rows), raw=True)
        ((sql, params),) = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        return Compiled(sql, params)


class Update:
    """Updates the rows of the queryset that `build` returns for the arguments.

    `stored_as` gives columns a function that turns a new value into the expression that is stored for it:
    Update(build, finished_at=lambda value: Greatest(value, DatabaseNow())).
    """

    def __init__(
        self, build: Callable[..., QuerySet[Any, Any]], **stored_as: Callable[[Parameter], Combinable]
    ) -> None:
        self._build, self._stored_as = build, stored_as
        self._compiled = lru_cache(SHAPES)(self._compile)

    def __call__(self, **where: Any) -> Matched:
        """Returns the rows for these arguments. Executes nothing yet."""
        return Matched(self, where)

    def execute(self, where: dict[str, Any], columns: dict[str, Any]) -> int:
        connection = connections[DEFAULT_DB_ALIAS]
        changed = tuple([(name, value if isinstance(value, Combinable) else VALUE) for name, value in columns.items()])
        update = self._compiled(connection.vendor, shape_of(where), changed)
        if update is None:
            return 0
        values = values_of(where) | {("set", name): value for name, value in columns.items()}
        return int(update.execute(connection, values).rowcount)

    def _compile(self, vendor: str, where: Shape, columns: Shape) -> Compiled | None:
        rows = self._build(**placeholders(where))
        changes = {name: self._value(name, rows.model) if new is VALUE else new for name, new in columns}
        return _compile_update(rows, changes)

    def _value(self, name: str, model: type[models.Model]) -> Combinable:
        parameter = Parameter(("set", name), cast(Field, model._meta.get_field(name)))
        return self._stored_as[name](parameter) if name in self._stored_as else parameter


@dataclass(frozen=True, slots=True)
class Matched:
    """The rows that an Update concerns."""

    update: Update
    where: dict[str, Any]

    def set(self, **columns: Any) -> int:
        """Sets these columns to values or expressions. Returns the number of rows matched."""
        return self.update.execute(self.where, columns)


class UpdateEach(Generic[Model]):
    """Stores these columns of each row, in one statement."""

    def __init__(self, model: type[Model], *columns: str) -> None:
        self._model, self._pk = model, model._meta.pk
        self._fields: list[Field] = [cast(Field, model._meta.get_field(name)) for name in columns]
        self._compiled = lru_cache(SHAPES)(self._compile)

    def __call__(self, *rows: Model) -> None:
        """Stores the columns. A row that does not exist is ignored."""
        if not rows:
            return
        connection = connections[DEFAULT_DB_ALIAS]
        fields = [*self._fields, self._pk]
        values = {(field.name, at): getattr(row, field.attname) for at, row in enumerate(rows) for field in fields}
        self._compiled(connection.vendor, len(rows)).execute(connection, values, defers=True)

    def _compile(self, vendor: str, number: int) -> Compiled:
        rows = self._model._default_manager.filter(pk__in=Parameter(self._pk.name, length=number))
        return cast(Compiled, _compile_update(rows, {field.name: self._new(field, number) for field in self._fields}))

    def _new(self, field: Field, number: int) -> Combinable:
        """Returns the new value of the field: which of them, is decided by the primary key."""
        new = [Parameter((field.name, at), field) for at in range(number)]
        if number == 1:
            return new[0]
        pks = [Parameter((self._pk.name, at), self._pk) for at in range(number)]
        return Case(*[When(pk=pk, then=each) for pk, each in zip(pks, new, strict=True)], output_field=field)


class DeleteEach(Generic[Model]):
    """Deletes each row by a statement of its own, all of which MySQL receives together.

    Given the keys in one statement, MySQL may scan the whole table, and wait for rows that others have just inserted.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._compiled = lru_cache(SHAPES)(self._compile)

    def __call__(self, *rows: Model) -> None:
        """Deletes the rows. One that does not exist is ignored."""
        connection = connections[DEFAULT_DB_ALIAS]
        for row in rows:
            self._compiled(connection.vendor).execute(connection, {"pk": row.pk}, defers=True)

    def _compile(self, vendor: str) -> Compiled:
        rows: Any = self._model._default_manager.filter(pk=Parameter("pk"))
        return cast(Compiled, compiled(rows.query.chain(DeleteQuery).get_compiler(DEFAULT_DB_ALIAS)))


def _compile_update(rows: QuerySet[Any, Any], changes: dict[str, Any]) -> Compiled | None:
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(changes)
    query.annotations = {}
    query.clear_ordering(force=True)
    if query.related_updates or query.count_active_tables() > 1:
        raise TypeError("An Update concerns one table.")
    return compiled(query.get_compiler(DEFAULT_DB_ALIAS))


class Select(Generic[Row]):
    """Selects the rows of the queryset that `build` returns for the arguments.

    They are instances, or tuples of `values_list()`. The queryset may join, annotate, defer and lock, not prefetch.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self._build = build
        self._compiled = lru_cache(SHAPES)(self._compile)

    def __call__(self, **where: Any) -> list[Row]:
        """Returns the rows. Raises TransactionManagementError if it locks them and no transaction is open."""
        connection = connections[DEFAULT_DB_ALIAS]
        selection = self._compiled(connection.vendor, shape_of(where))
        return selection.rows(connection, values_of(where)) if selection else []

    def first(self, **where: Any) -> Row | None:
        """Returns the first row; None if there is none."""
        return next(iter(self(**where)), None)

    def _compile(self, vendor: str, where: Shape) -> Selection | None:
        rows: Any = self._build(**placeholders(where))
        kinds: tuple[Any, ...] = (ModelIterable, ValuesListIterable)
        if rows._iterable_class not in kinds or rows._prefetch_related_lookups:
            raise TypeError("A Select returns instances without prefetch_related(), or tuples of values_list().")
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        select = compiled(compiler)
        as_tuples = rows._iterable_class is ValuesListIterable
        return Selection(select, compiler, as_tuples=as_tuples) if select else None
