"""Tables as CSV (RFC 4180), for reports. A spreadsheet must not take a text for a formula."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer

MEDIA_TYPE = "text/csv"

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""


class Lines(list[Mapping[str, Any]]):
    """A table: each line has a value for each of these columns."""

    def __init__(self, columns: Iterable[str], lines: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(lines)
        self.columns = list(columns)

    def rows(self) -> list[list[Any]]:
        """Returns the values of each line, in the order of the columns."""
        return [[line[column] for column in self.columns] for line in self]


class CSVRenderer(BaseRenderer):
    """Renders Lines. Anything else is a problem response, which is JSON whatever the client accepts."""

    media_type = MEDIA_TYPE
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str | bytes:
        if isinstance(data, Lines):
            return written(data)
        return bytes(JSONRenderer().render(data))


def written(lines: Lines) -> str:
    """Returns the table with a line of column names."""
    return "".join(csv_lines([lines.columns, *lines.rows()]))


class Text:
    """A file for `csv.writer` that returns each line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yields each row as a line of CSV."""
    writer: Any = csv.writer(Text())
    return (writer.writerow(map(as_cell, row)) for row in rows)


def as_cell(value: Any) -> Any:
    """Returns the value as it is written. A text that begins like a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
