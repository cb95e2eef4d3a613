"""The errors of webhooks."""

from cloudmart.kernel.errors import DomainError


class InvalidEndpoint(DomainError, code="invalid_endpoint"):
    """No webhook can be sent to this URL."""
