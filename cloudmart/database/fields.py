"""Column types that behave the same on every database."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.migrations import RunPython
from django.db.models.functions import Length, Substr
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext

from cloudmart.database.clock import DatabaseNow

CODE = r"^[A-Za-z0-9._~-]{1,64}\Z"
"""The shop's codes of books and customers. They need no escaping in a path."""

EMAIL = r"^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
"""An e-mail address, without the rare characters that few mail servers accept."""

is_code = RegexValidator(CODE, "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -")


class CharField(models.CharField):
    """Text of at most `max_length` characters, also on SQLite, which does not enforce lengths by itself."""

    def db_check(self, connection: Any) -> str | None:
        if connection.vendor == "sqlite":
            return f"length({connection.ops.quote_name(self.column)}) <= {self.max_length}"
        return super().db_check(connection)


class EmailField(CharField, models.EmailField):
    """An e-mail address of at most `max_length` characters."""


@deconstructible
class IsNot:
    """Rejects words with a special meaning in a path, such as `..`."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, value: str) -> None:
        """Raises ValidationError for one of the words."""
        if value in self.words:
            raise ValidationError(
                gettext("%(value)s has a special meaning in a path.") % {"value": value}, code="reserved"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IsNot) and self.words == other.words


DOT_SEGMENTS = (".", "..")


class CodeField(CharField):
    """A code that is compared exactly: `a`, `A` and `á` differ, also under MySQL's default collation."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters


def cut_texts(app: str, model: str, **limits: int) -> RunPython:
    """Returns a migration operation that truncates texts which exceed these limits on SQLite."""
    return RunPython(_cutter(app, model, limits), RunPython.noop)


def cut_texts_when_reverted(app: str, model: str, **limits: int) -> RunPython:
    """Returns a migration operation that, when it is reverted, truncates texts to the limits of the version before.

    It follows the operation that widens the columns.
    """
    return RunPython(RunPython.noop, _cutter(app, model, limits))


def _cutter(app: str, model: str, limits: dict[str, int]) -> Callable[[Any, Any], None]:
    def cut(apps: Any, schema_editor: Any) -> None:
        rows = apps.get_model(app, model)._default_manager
        for column, limit in limits.items():
            too_long = rows.alias(length=Length(column)).filter(length__gt=limit)
            too_long.update(**{column: Substr(column, 1, limit)})

    return cut


class DatabaseTimeField(models.DateTimeField):
    """A time from the database's clock, set on INSERT with `auto_now_add`, or on every save with `auto_now`.

    A saved instance does not have the value until it is read again. In migrations it is a DateTimeField.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if self.auto_now or (self.auto_now_add and add):
            return DatabaseNow()
        return super().pre_save(model_instance, add)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
