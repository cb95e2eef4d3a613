"""Filters of the list of orders."""

from django_filters import ChoiceFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import CodeFilter, MomentFilter
from orders.models import SagaStyle, Status


class OrderFilter(FilterSet):
    status = ChoiceFilter(choices=Status.choices)
    customer_id = CodeFilter(field_name="customer_id", label="For operators")
    saga = ChoiceFilter(field_name="saga_style", choices=SagaStyle.choices, label="The saga style")
    created_from = MomentFilter(field_name="created_at", lookup_expr="gte", label="Created at this time or later")
    created_to = MomentFilter(field_name="created_at", lookup_expr="lt", label="Created before this time")
