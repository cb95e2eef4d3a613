"""Serializer parts that take nothing but what they say."""

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from cloudmart.kernel.facts import Address
from cloudmart.kernel.fields import CODE

ANY = r"[^\x00-\x1f\x7f]"
TEXT = rf"^{ANY}*$"
"""One line of text, in any script: no control characters."""

POSTAL_CODE = "^[0-9]{3}-[0-9]{4}$"
LONGEST_ADDRESS = 500


class PatternField(serializers.RegexField):
    """A JSON string of this pattern, taken as it is: no number, and nothing trimmed."""

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
    """The payment provider's name for what pays."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[A-Za-z0-9_-]{1,128}$", help_text="The provider's name for a card", **kwargs)


class TextField(PatternField):
    """What people say, in one line."""

    default_error_messages = {"invalid": "Give a line of text, without control characters."}

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        least = 0 if kwargs.get("allow_blank") else 1
        super().__init__(TEXT, min_length=least, max_length=max_length, **kwargs)


ADDRESS_IN_ONE = rf"^{ANY}*[0-9]{{3}}-[0-9]{{4}}{ANY}*$"


@extend_schema_field(
    {
        "oneOf": [
            {
                "type": "string",
                "pattern": ADDRESS_IN_ONE,
                "maxLength": LONGEST_ADDRESS,
                "examples": ["〒150-0001 東京都渋谷区神宮前1-2-3"],
            },
            {
                "type": "object",
                "properties": {
                    "postal_code": {"type": "string", "pattern": POSTAL_CODE, "examples": ["150-0001"]},
                    "address": {"type": "string", "pattern": TEXT, "maxLength": LONGEST_ADDRESS},
                },
                "required": ["postal_code"],
                "additionalProperties": False,
            },
        ]
    }
)
class AddressField(serializers.Field[Any, Any, Any, Any]):
    """Either one string with a postal code in it (〒150-0001 …), or an object with `postal_code` and `address`."""

    default_error_messages = {
        "form": "Give a string, or an object with postal_code and address.",
        "postal_code": "There is no postal code like 150-0001 in it.",
    }

    def to_internal_value(self, data: Any) -> Address:
        if isinstance(data, str):
            code, text = re.search(POSTAL_CODE.strip("^$"), data), data
        elif isinstance(data, dict) and set(data) <= {"postal_code", "address"}:
            code, text = re.fullmatch(POSTAL_CODE, str(data.get("postal_code"))), data.get("address", "")
        else:
            self.fail("form")
        if not code:
            self.fail("postal_code")
        return Address(code[0], TextField(max_length=LONGEST_ADDRESS, allow_blank=True).run_validation(text))


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
    """A UUID as it is usually written, with its hyphens."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or len(data) != len(str(UUID(int=0))):
            self.fail("invalid", value=data)
        found: UUID = super().to_internal_value(data)
        return found


class StrictSerializer(serializers.Serializer[Any]):
    """Fields that it does not know are refused, not ignored."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """What the body says. Raises ValidationError, and ParseError."""
        return cls._valid(request.data)

    @classmethod
    def read_query(cls, request: Request) -> dict[str, Any]:
        """What the path's query says. Raises ValidationError."""
        return cls._valid(request.query_params.dict())

    @classmethod
    def _valid(cls, data: Any) -> dict[str, Any]:
        asked = cls(data=data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name: ["There is no such field."] for name in unknown}, code="unknown")
        return super().to_internal_value(data)
