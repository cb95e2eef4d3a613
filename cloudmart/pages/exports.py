"""Lists of the admin as CSV: all rows that the search and the filters find, up to a limit."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from django.http import StreamingHttpResponse

from cloudmart.api.csv_renderer import MEDIA_TYPE, csv_lines
from cloudmart.database.replica import reads_stale
from cloudmart.kernel.money import in_major_units

MOST_EXPORTED = 100_000
"""Rows of one file, and rows in which it looks for what no index finds."""

AT_ONCE = 500
"""Rows read by one query."""

BYTE_ORDER_MARK = "\ufeff"
"""By it spreadsheets know UTF-8."""


def download(parts: Iterable[str], name: str) -> StreamingHttpResponse:
    """Returns these parts of a table as a file to download."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingHttpResponse(_marked(parts), f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


def table(model: type[Model], keys: Sequence[Any], columns: Sequence[str], money: Sequence[str]) -> Iterator[str]:
    """Yields the rows with these keys as CSV, after a line of column names.

    They are read a few at a time, while the file is sent: a row that is deleted meanwhile is left out.
    """
    yield from csv_lines([[_title(column, money) for column in columns]])
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        rows = _rows(model, some, columns)
        found = {pk: [_written(*each, money) for each in zip(columns, values, strict=True)] for pk, *values in rows}
        yield "".join(csv_lines(found[key] for key in some if key in found))


@reads_stale
def _rows(model: type[Model], keys: Sequence[Any], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(model._default_manager.filter(pk__in=keys).values_list("pk", *columns))


def _marked(parts: Iterable[str]) -> Iterator[str]:
    yield BYTE_ORDER_MARK
    yield from parts


def _title(column: str, money: Sequence[str]) -> str:
    name = column.split(LOOKUP_SEP)[-1]
    return f"{name} ({settings.CURRENCY})" if column in money else name


def _written(column: str, value: Any, money: Sequence[str]) -> Any:
    """Returns an amount in the currency's major unit, and a time in the time zone of the shop."""
    if column in money and value is not None:
        return in_major_units(value)
    if isinstance(value, datetime):
        return value.astimezone(settings.SHOP_TIME_ZONE).isoformat(" ", "seconds")
    return value
