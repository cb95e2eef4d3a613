"""What operators do with endpoints and deliveries. Each function joins the open transaction, if there is one."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext_noop

from cloudmart.database.clock import NOW, from_now
from cloudmart.database.states import move, move_all
from cloudmart.database.transactions import joining
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.text import LONGEST_REASON, storable
from cloudmart.webhooks.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.secrets import new_secret
from cloudmart.webhooks.waits import end_wait

ONE_MORE = F("resends") + 1

GONE = gettext_noop("It has responded with 410 Gone.")
SILENT = gettext_noop("It has accepted no webhook for too long.")
"""Why the worker disables an endpoint."""


@joining
def enable(endpoint: WebhookEndpoint) -> None:
    """Has events sent to the endpoint from now on. Raises IllegalMove if it is enabled."""
    reset: dict[str, Any] = {"disabled_reason": "", "disabled_at": None, "failing_since": None, "failures": 0}
    move(endpoint, EndpointStatus.ENABLED, **reset, due_at=NOW)
    endpoint.refresh_from_db()


@joining
def disable(endpoint: WebhookEndpoint, reason: str = "") -> None:
    """Has no event sent to the endpoint from now on. Its pending deliveries fail.

    Raises IllegalMove if it is disabled.
    """
    move(endpoint, EndpointStatus.DISABLED, disabled_reason=storable(reason, LONGEST_REASON), disabled_at=NOW)
    fail_pending(WebhookDelivery.objects.filter(endpoint=endpoint))
    endpoint.refresh_from_db()


def fail_pending(deliveries: Any) -> int:
    """Has those of these deliveries fail that are pending. Returns how many."""
    pending = deliveries.filter(status=DeliveryStatus.PENDING)
    return int(pending.update(status=DeliveryStatus.FAILED, updated_at=NOW))


@joining
def rotate_secret(endpoint: WebhookEndpoint) -> str:
    """Returns the endpoint's new secret. The previous one signs too for WEBHOOK_SECRET_OVERLAP, and none before it."""
    held = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    secret = new_secret()
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        previous_secret=held.secret,
        previous_secret_until=from_now(settings.WEBHOOK_SECRET_OVERLAP),
        secret=secret,
        updated_at=NOW,
    )
    endpoint.refresh_from_db()
    return secret


@joining
def resend(delivery_id: UUID) -> None:
    """Has a delivery sent again that was delivered or has failed, with the same webhook-id.

    Raises IllegalMove while it is pending, and if its endpoint is disabled.
    """
    endpoint = WebhookEndpoint.objects.filter(deliveries=delivery_id, status=EndpointStatus.ENABLED).first()
    if endpoint is None:
        raise IllegalMove("The endpoint is disabled.", record="WebhookDelivery", id=str(delivery_id))
    reset = {"due_at": NOW, "retry_until": from_now(settings.WEBHOOK_RETRY_FOR), "attempts": 0}
    move_all(WebhookDelivery, [delivery_id], DeliveryStatus.PENDING, resends=ONE_MORE, **reset)
    end_wait(endpoint.pk)
