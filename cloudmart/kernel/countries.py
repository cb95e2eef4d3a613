"""Countries by their ISO 3166-1 alpha-2 codes, and the patterns of their postal codes."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy
from iso3166 import countries_by_alpha2

COUNTRIES = frozenset(countries_by_alpha2)

POSTAL_CODES = {"JP": r"^[0-9]{3}-[0-9]{4}\Z"}
ANY_POSTAL_CODE = r"^[0-9A-Za-z]([0-9A-Za-z -]{0,14}[0-9A-Za-z])?\Z"
"""The pattern of countries that POSTAL_CODES does not list."""


def home_country() -> str:
    """The shop's country, for addresses without one."""
    return str(settings.HOME_REGION)


def postal_code_of(country: str) -> str:
    """The pattern of the country's postal codes."""
    return POSTAL_CODES.get(country, ANY_POSTAL_CODE)


def is_country(code: str) -> None:
    """Raises ValidationError unless `code` is an ISO 3166-1 alpha-2 code."""
    if code not in COUNTRIES:
        raise ValidationError(gettext_lazy("Give an ISO 3166-1 alpha-2 code, like JP."), code="country")
