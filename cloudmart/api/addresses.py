"""Addresses in requests, and their description."""

import re
from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cloudmart.api.fields import ANY, TEXT, PatternField, StrictSerializer, TextField, bare, text_schema
from cloudmart.kernel.countries import ANY_POSTAL_CODE, COUNTRIES, POSTAL_CODES, home_country, postal_code_of
from cloudmart.kernel.order import Address

LONGEST_ADDRESS = 500


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
