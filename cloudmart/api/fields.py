"""Serializer fields that accept exactly what they document."""

import re
from functools import cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request

from cloudmart.api.aliases import renamed, unwrapped
from cloudmart.database.fields import CODE, EMAIL

ANY = r"[^\x00-\x1f\x7f]"
TEXT = rf"^{ANY}*\Z"
"""One line of text, in any script: no control characters."""

UUID_TEXT = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z"

LONGEST_EMAIL = 254


def text_schema(pattern: str, **more: Any) -> dict[str, Any]:
    """Returns a text's OpenAPI schema, where `$` means `\\Z`: Python's own `$` accepts a trailing newline."""
    return {"type": "string", "pattern": pattern.replace(r"\Z", "$"), **more}


def bare(pattern: str) -> str:
    """Returns the pattern without its anchors."""
    return pattern.removeprefix("^").removesuffix(r"\Z")


class PatternField(serializers.RegexField):
    """A JSON string that matches `pattern`. Numbers are not converted and white space is not trimmed."""

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        super().__init__(pattern, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class CodeField(PatternField):
    """The code of a book or a customer."""

    default_error_messages = {"invalid": "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CODE, **kwargs)


class PaymentTokenField(PatternField):
    def __init__(self, **kwargs: Any) -> None:
        help_text = "The payment provider's token for a card or a wallet; if left out, the customer's own pays"
        super().__init__(r"^[A-Za-z0-9_-]{1,128}\Z", help_text=help_text, **kwargs)


class TextField(PatternField):
    """One line of free text."""

    default_error_messages = {"invalid": "Give a line of text, without control characters."}

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        least = 0 if kwargs.get("allow_blank") else 1
        super().__init__(TEXT, min_length=least, max_length=max_length, **kwargs)


class EmailField(PatternField):
    """An e-mail address."""

    default_error_messages = {"invalid": "Give an e-mail address such as name@example.com."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(EMAIL, max_length=LONGEST_EMAIL, **kwargs)


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction: no string, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is float and data.is_integer():
            data = int(data)
        if type(data) is not int:
            self.fail("invalid")
        return data


class QuantityField(StrictIntegerField):
    """Copies of one book in one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=settings.MAX_QUANTITY_PER_LINE, **kwargs)


class StrictUUIDField(serializers.UUIDField):
    """A UUID in its canonical form, with hyphens."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not re.match(UUID_TEXT, data):
            self.fail("invalid", value=data)
        value: UUID = super().to_internal_value(data)
        return value


@cache
def _fields_of(serializer: type["SharedFields"]) -> Any:
    """Returns the bound fields of a serializer class."""
    return cast(Any, serializers.Serializer.fields).func(serializer())


@cache
def _readable_fields_of(serializer: type["SharedFields"]) -> list[Any]:
    return [field for field in _fields_of(serializer).values() if not field.write_only]


class SharedFields(serializers.Serializer[Any]):
    """A serializer whose instances share their fields, which DRF copies for each instance.

    So a field must keep nothing, and cannot see the context or the data of its serializer.
    """

    @property
    def fields(self) -> Any:
        return _fields_of(type(self))

    @property
    def _readable_fields(self) -> Any:
        return _readable_fields_of(type(self))


class StrictSerializer(SharedFields):
    """A serializer that rejects unknown fields instead of ignoring them. Fields may have their other names."""

    wrapper: ClassVar[str | None] = None
    """A member that may contain the whole body."""
    rules: ClassVar[tuple[dict[str, Any], ...]] = ()
    """What `validate` checks, in OpenAPI."""

    @property
    def may_be_empty(self) -> bool:
        """Returns True if an empty body is valid."""
        return not any(field.required for field in self.fields.values())

    @classmethod
    def of(cls, request: Request) -> Self:
        """Returns the serializer of the body, validated. Raises ValidationError or ParseError."""
        return cls._valid(unwrapped(request.data, cls.wrapper))

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Returns the validated body. Raises ValidationError or ParseError."""
        return dict(cls.of(request).validated_data)

    @classmethod
    def read_query(cls, request: Request) -> dict[str, Any]:
        """Returns the validated query parameters. Raises ValidationError."""
        return dict(cls._valid(request.query_params.dict()).validated_data)

    @classmethod
    def _valid(cls, data: Any) -> Self:
        serializer = cls(data=data)
        serializer.is_valid(raise_exception=True)
        return serializer

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            data = renamed(data, self.fields)
            if unknown := sorted(set(data) - set(self.fields)):
                errors = {name: ["There is no such field."] for name in unknown}
                raise serializers.ValidationError(errors, code="unknown")
        return super().to_internal_value(data)
