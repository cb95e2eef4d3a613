"""Filters of the list of sagas."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django_filters import ChoiceFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import TRUE, YES_OR_NO, MomentFilter
from cloudmart.kernel.ids import first_id
from orders.models import SagaStyle
from sagas.models import FINISHED, State
from sagas.operations.finding import IS_ABANDONED, NEEDS_ATTENTION

REQUIRED = "required"

Sagas = QuerySet[Any]


class SagaFilter(FilterSet):
    status = ChoiceFilter(choices=State.choices, method="in_status")
    style = ChoiceFilter(field_name="saga_type", choices=SagaStyle.choices, label="The saga style")
    attention = ChoiceFilter(
        choices=[(REQUIRED, REQUIRED)],
        method="requiring_attention",
        label="Only those that an operator must look at. Abandoned ones are none of them",
    )
    abandoned = ChoiceFilter(choices=YES_OR_NO, method="by_abandoned", label="Only abandoned ones, or only others")
    started_from = MomentFilter(method="from_moment", label="Started at this time or later")
    started_to = MomentFilter(method="to_moment", label="Started before this time")

    def in_status(self, sagas: Sagas, name: str, value: str) -> Sagas:
        """A finished saga is never due. With that condition the index has them in the order of the list."""
        return sagas.filter(status=value, wake_at=None) if value in FINISHED else sagas.filter(status=value)

    def requiring_attention(self, sagas: Sagas, name: str, value: str) -> Sagas:
        return sagas.filter(NEEDS_ATTENTION)

    def by_abandoned(self, sagas: Sagas, name: str, value: str) -> Sagas:
        return sagas.filter(IS_ABANDONED) if value == TRUE else sagas.exclude(IS_ABANDONED)

    def from_moment(self, sagas: Sagas, name: str, value: datetime) -> Sagas:
        return sagas.filter(pk__gte=first_id(value))

    def to_moment(self, sagas: Sagas, name: str, value: datetime) -> Sagas:
        return sagas.filter(pk__lt=first_id(value))
