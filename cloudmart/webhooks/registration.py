"""Registering endpoints, changing and removing them."""

from collections.abc import Iterable
from typing import TypedDict
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.database.transactions import durable, joining
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.addresses import check_url
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.secrets import new_secret
from cloudmart.webhooks.waits import end_wait, end_waits_of_deliveries

SUBSCRIBABLE = [event_type for event_type in EventType if event_type != EventType.TEST]
"""The types that an endpoint chooses from. A test is sent to every endpoint that it is meant for."""

AT_ONCE = 1000
"""Deliveries that are deleted in one transaction."""


class EndpointChanges(TypedDict, total=False):
    url: str
    description: str
    event_types: list[str]


@joining
def register(endpoint: WebhookEndpoint, actor: str) -> None:
    """Stores a new endpoint, which is enabled, with a secret of its own. Raises InvalidEndpoint."""
    check_url(endpoint.url)
    endpoint.secret, endpoint.created_by = new_secret(), actor
    endpoint.save(force_insert=True)
    endpoint.refresh_from_db()


@joining
def change(endpoint: WebhookEndpoint, changes: EndpointChanges) -> None:
    """Changes the endpoint. A new URL gets what is pending, too, at once. Raises InvalidEndpoint."""
    if "url" in changes:
        check_url(changes["url"])
    for name, value in changes.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*changes, "updated_at"])
    if "url" in changes:
        end_wait(endpoint.pk)
        end_waits_of_deliveries(endpoint.pk)


@joining
def remove(endpoint_id: UUID) -> None:
    """Deletes the endpoint with its deliveries and their log. Of very many deliveries a worker deletes the rest."""
    _raw_delete(WebhookEndpoint.objects.filter(pk=endpoint_id))
    _delete(WebhookDelivery.objects.filter(endpoint=endpoint_id), AT_ONCE)


@durable
def delete_left(limit: int) -> int:
    """Deletes deliveries whose endpoint is deleted, with their log, at most `limit`. Returns how many."""
    in_log = set(WebhookDelivery.objects.order_by("endpoint").values_list("endpoint", flat=True).distinct())
    left = in_log.difference(WebhookEndpoint.objects.values_list("pk", flat=True))
    return _delete(WebhookDelivery.objects.filter(endpoint__in=left), limit) if left else 0


def _delete(deliveries: QuerySet, limit: int) -> int:
    found = list(deliveries.order_by().values_list("pk", flat=True)[:limit])
    _raw_delete(WebhookAttempt.objects.filter(delivery__in=found))
    _raw_delete(WebhookDelivery.objects.filter(pk__in=found))
    return len(found)


def chosen(event_types: Iterable[str]) -> list[str]:
    """Returns these types once each, in the order of their definition."""
    return [event_type.value for event_type in SUBSCRIBABLE if event_type in set(event_types)]


def _raw_delete(rows: QuerySet) -> None:
    """Deletes only these rows: Django would read the rows that refer to them first."""
    rows._raw_delete(rows.db)
