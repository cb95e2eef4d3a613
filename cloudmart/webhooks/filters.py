"""Filters of the lists of endpoints and deliveries."""

from django_filters import ChoiceFilter, UUIDFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import CodeFilter
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.models import DeliveryStatus, EndpointStatus


class EndpointFilter(FilterSet):
    status = ChoiceFilter(choices=EndpointStatus.choices)


class DeliveryFilter(FilterSet):
    endpoint = UUIDFilter(field_name="endpoint_id", label="The id of an endpoint")
    status = ChoiceFilter(choices=DeliveryStatus.choices)
    event_type = ChoiceFilter(choices=EventType.choices)
    subject = CodeFilter(label="The id of an order, or the code of a book")
