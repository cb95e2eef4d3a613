"""The errors of webhooks."""

from cloudmart.kernel.errors import DomainError


class InvalidEndpoint(DomainError, code="invalid_endpoint"):
    """No webhook can be sent to this URL."""


class EndpointNotFound(DomainError, code="endpoint_not_found"):
    """There is no such webhook endpoint."""


class DeliveryNotFound(DomainError, code="delivery_not_found"):
    """There is no such delivery of a webhook."""
