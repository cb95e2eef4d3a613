"""Webhook endpoints, and what is sent to them. For operators. `webhooks` is for those who receive."""

from collections.abc import Iterable, Iterator

from cloudmart_client.models import (
    SubscribableEventType,
    WebhookDelivery,
    WebhookDeliveryDetail,
    WebhookDeliveryStatus,
    WebhookEndpoint,
    WebhookEndpointStatus,
    WebhookEndpointWithSecret,
    WebhookEventType,
)
from cloudmart_client.problems import EndpointNotFound
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Endpoints(Resource):
    """`client.webhook_endpoints`."""

    def register(
        self,
        url: str,
        *,
        event_types: Iterable[SubscribableEventType] = (),
        description: str = "",
        idempotency_key: str | None = None,
    ) -> WebhookEndpointWithSecret:
        """Has events sent to the URL: those of these types, or all. Keep the secret: it is not shown again."""
        body = {"url": url, "event_types": list(event_types), "description": description}
        return self._command(WebhookEndpointWithSecret, "POST", "/webhooks/endpoints", body, idempotency_key)

    def get(self, endpoint_id: str) -> WebhookEndpoint:
        return self._get(WebhookEndpoint, path_of(endpoint_id))

    def list(self, *, status: WebhookEndpointStatus | None = None) -> Iterator[WebhookEndpoint]:
        """Yields the endpoints, newest first."""
        return self._list(WebhookEndpoint, "/webhooks/endpoints", given(status=status))

    def change(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        event_types: Iterable[SubscribableEventType] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> WebhookEndpoint:
        """Changes what is given, and leaves the rest as it is."""
        types = None if event_types is None else [*event_types]
        body = given(url=url, event_types=types, description=description)
        return self._command(WebhookEndpoint, "PATCH", path_of(endpoint_id), body, idempotency_key)

    def delete(self, endpoint_id: str) -> None:
        """Deletes the endpoint and its deliveries. One that is not there is no error: a repeat finds it deleted."""
        try:
            self._transport.command("DELETE", path_of(endpoint_id))
        except EndpointNotFound:
            return

    def rotate_secret(self, endpoint_id: str, *, idempotency_key: str | None = None) -> WebhookEndpointWithSecret:
        """Gives the endpoint a new secret. The previous one signs too, until `previous_secret_until`."""
        path = f"{path_of(endpoint_id)}/rotate-secret"
        return self._command(WebhookEndpointWithSecret, "POST", path, {}, idempotency_key)

    def enable(self, endpoint_id: str, *, idempotency_key: str | None = None) -> WebhookEndpoint:
        return self._command(WebhookEndpoint, "POST", f"{path_of(endpoint_id)}/enable", {}, idempotency_key)

    def disable(
        self, endpoint_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        path = f"{path_of(endpoint_id)}/disable"
        return self._command(WebhookEndpoint, "POST", path, given(reason=reason), idempotency_key)

    def test(self, endpoint_id: str, *, idempotency_key: str | None = None) -> WebhookDelivery:
        """Has an event of the type `test` sent to the endpoint."""
        return self._command(WebhookDelivery, "POST", f"{path_of(endpoint_id)}/test", {}, idempotency_key)


class Deliveries(Resource):
    """`client.webhook_deliveries`."""

    def get(self, delivery_id: str) -> WebhookDeliveryDetail:
        """Returns a delivery with what is sent, and each attempt."""
        return self._get(WebhookDeliveryDetail, f"/webhooks/deliveries/{segment(delivery_id)}")

    def list(
        self,
        *,
        endpoint_id: str | None = None,
        status: WebhookDeliveryStatus | None = None,
        event_type: WebhookEventType | None = None,
        subject: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[WebhookDelivery]:
        """Yields the deliveries, newest first. `subject` is the id of an order, or the code of a book."""
        query = given(endpoint=endpoint_id, status=status, event_type=event_type, subject=subject, page_size=page_size)
        return self._list(WebhookDelivery, "/webhooks/deliveries", query)

    def resend(self, delivery_id: str, *, idempotency_key: str | None = None) -> WebhookDelivery:
        path = f"/webhooks/deliveries/{segment(delivery_id)}/resend"
        return self._command(WebhookDelivery, "POST", path, {}, idempotency_key)


def path_of(endpoint_id: str) -> str:
    return f"/webhooks/endpoints/{segment(endpoint_id)}"
