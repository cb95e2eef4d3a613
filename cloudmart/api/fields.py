"""Serializer fields that accept exactly what they document."""

import re
from collections import defaultdict
from functools import cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from cloudmart.api.aliases import renamed, unwrapped
from cloudmart.database.fields import CODE, EMAIL
from cloudmart.kernel.countries import ANY_POSTAL_CODE, COUNTRIES, POSTAL_CODES, home_country, postal_code_of
from cloudmart.kernel.order import Address

ANY = r"[^\x00-\x1f\x7f]"
TEXT = rf"^{ANY}*\Z"
"""One line of text, in any script: no control characters."""

UUID_TEXT = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z"

LONGEST_ADDRESS = 500
LONGEST_EMAIL = 254


def text_schema(pattern: str, **more: Any) -> dict[str, Any]:
    """Returns a text's OpenAPI schema, where `$` means `\\Z`: Python's own `$` accepts a trailing newline."""
    return {"type": "string", "pattern": pattern.replace(r"\Z", "$"), **more}


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


class AddressParts(StrictSerializer):
    """An address with a separate postal code, in any country."""

    default_error_messages = {"postal_code": "This is not a postal code of {country}."}

    postal_code = PatternField(ANY_POSTAL_CODE)
    address = TextField(max_length=LONGEST_ADDRESS, allow_blank=True, default="")
    country = serializers.ChoiceField(sorted(COUNTRIES), default=home_country)

    def validate(self, attrs: dict[str, Any]) -> Address:
        code, country = attrs["postal_code"], attrs["country"]
        if not re.match(postal_code_of(country), code):
            message = self.error_messages["postal_code"].format(country=country)
            raise serializers.ValidationError({"postal_code": [message]})
        return Address(code, attrs["address"], country)


def address_schemas() -> list[dict[str, Any]]:
    """Returns the OpenAPI schemas of the forms of an address. Each address matches exactly one."""
    home, countries = home_country(), defaultdict(list)
    for country in sorted(COUNTRIES):
        countries[postal_code_of(country)].append(country)
    line = text_schema(text_with(POSTAL_CODES[home]), maxLength=LONGEST_ADDRESS) if home in POSTAL_CODES else None
    parts = [parts_schema(pattern, countries[pattern], home) for pattern in sorted(countries)]
    return [line, *parts] if line else parts


def parts_schema(pattern: str, countries: list[str], home: str) -> dict[str, Any]:
    """Returns the OpenAPI schema of `AddressParts` for the countries with this pattern of postal codes."""
    return {
        "type": "object",
        "properties": {
            "postal_code": text_schema(pattern),
            "address": text_schema(TEXT, maxLength=LONGEST_ADDRESS),
            "country": {"type": "string", "enum": countries},
        },
        "required": ["postal_code"] if home in countries else ["postal_code", "country"],
        "additionalProperties": False,
    }


def text_with(pattern: str) -> str:
    """Returns the pattern of a line of text that contains `pattern`."""
    return rf"^{ANY}*{bare(pattern)}{ANY}*\Z"


def bare(pattern: str) -> str:
    """Returns the pattern without its anchors."""
    return pattern.removeprefix("^").removesuffix(r"\Z")


@extend_schema_field({"oneOf": address_schemas()})
class AddressField(serializers.Field[Any, Any, Any, Any]):
    """Either a string that contains a postal code of the shop's country (〒150-0001 …), or `AddressParts`."""

    default_error_messages = {
        "form": "Give an object with postal_code, address and country.",
        "postal_code": "It contains no postal code like 150-0001.",
    }

    def to_internal_value(self, data: Any) -> Address:
        if isinstance(data, str):
            return self._address_in(data)
        parts = AddressParts(data=data)
        parts.is_valid(raise_exception=True)
        return parts.validated_data

    def _address_in(self, text: str) -> Address:
        home = home_country()
        if home not in POSTAL_CODES:
            self.fail("form")
        if not (code := re.search(bare(POSTAL_CODES[home]), text)):
            self.fail("postal_code")
        return Address(code[0], TextField(max_length=LONGEST_ADDRESS).run_validation(text), home)
