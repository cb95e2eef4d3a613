"""The query parameters of a list: filters, ordering and page. Any other parameter is rejected."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django_filters import Filter
from django_filters.fields import IsoDateTimeField
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request

from cloudmart.api.fields import TEXT, text_schema
from cloudmart.database.fields import CODE

EARLIEST_YEAR, LATEST_YEAR = 1970, 2999
MOMENT = (
    r"^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])\Z"
)
"""RFC 3339, in those years. For the documentation: the filter accepts all of ISO 8601."""
DAY = r"^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}\Z"
MOMENT_SCHEMA = text_schema(MOMENT, format="date-time")

LONGEST_TEXT = 100

TRUE, FALSE = "true", "false"
YES_OR_NO = [(TRUE, TRUE), (FALSE, FALSE)]
"""The choices of a filter by a condition."""


class KnownParameters(BaseFilterBackend):
    """Rejects parameters that are unknown, empty, or given twice."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        known = parameters_of(view)
        errors = {
            name: ["There is no such parameter."]
            if name not in known
            else ["Give it once, with a value, or leave it out."]
            for name, values in request.query_params.lists()
            if name not in known or len(values) != 1 or not values[0]
        }
        if errors:
            raise ValidationError(errors)
        return queryset


def parameters_of(view: Any) -> set[str]:
    paging = {parameter["name"] for parameter in view.paginator.get_schema_operation_parameters(view)}
    return {"ordering", *view.filterset_class.base_filters, *paging}


class StrictOrdering(OrderingFilter):
    """Rejects an unknown ordering instead of ignoring it."""

    def remove_invalid_fields(self, queryset: Any, fields: Any, view: Any, request: Request) -> list[str]:
        known, requested = orderings_of(view), request.query_params[self.ordering_param]
        if requested not in known:
            raise ValidationError({"ordering": [gettext("Give one of %(values)s.") % {"values": ", ".join(known)}]})
        return [requested]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        schema = {"type": "string", "enum": orderings_of(view)}
        description = "The field to order by; a minus reverses the order."
        return [build_parameter_type(self.ordering_param, schema, OpenApiParameter.QUERY, description=description)]


def orderings_of(view: Any) -> list[str]:
    """Returns each ordering field, ascending and descending."""
    return [sign + field for field in view.ordering_fields for sign in ("", "-")]


class MomentField(IsoDateTimeField):
    """A time that every database can store, in UTC unless it has another offset. Raises Django's ValidationError."""

    def clean(self, value: Any) -> Any:
        if value and value != value.strip():
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        moment = super().clean(value)
        if moment and not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            raise forms.ValidationError(f"Give a year from {EARLIEST_YEAR} to {LATEST_YEAR}.", code="invalid")
        return moment


@extend_schema_field(MOMENT_SCHEMA)
class MomentFilter(Filter):
    field_class = MomentField


class DayField(forms.DateField):
    """A day as YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)

    def clean(self, value: Any) -> Any:
        if value and not re.match(DAY, value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().clean(value)


@extend_schema_field(text_schema(DAY, format="date"))
class DayFilter(Filter):
    field_class = DayField


@extend_schema_field(text_schema(CODE))
class CodeFilter(Filter):
    field_class = forms.RegexField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(regex=CODE, strip=False, **kwargs)


@extend_schema_field(text_schema(TEXT, minLength=1, maxLength=LONGEST_TEXT))
class TextFilter(Filter):
    field_class = forms.RegexField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(regex=TEXT, strip=False, max_length=LONGEST_TEXT, **kwargs)
