"""The secrets of endpoints, and the signatures made with them (https://www.standardwebhooks.com)."""

import secrets
from base64 import b64encode
from datetime import datetime
from functools import lru_cache

from standardwebhooks.webhooks import Webhook

from cloudmart.webhooks.models import WebhookEndpoint

PREFIX, BYTES = "whsec_", 32


def new_secret() -> str:
    """Returns a random secret in the notation of Standard Webhooks."""
    return PREFIX + b64encode(secrets.token_bytes(BYTES)).decode()


def valid_secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """Returns the secret, and the previous one for WEBHOOK_SECRET_OVERLAP after a rotation."""
    until = endpoint.previous_secret_until
    previous = [endpoint.previous_secret] if endpoint.previous_secret and until and until > now else []
    return [endpoint.secret, *previous]


def signature_headers(secrets: list[str], webhook_id: str, now: datetime, body: str) -> dict[str, str]:
    """Returns the headers that identify and sign a webhook: one signature for each secret."""
    signatures = [_signer(secret).sign(webhook_id, now, body) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@lru_cache
def _signer(secret: str) -> Webhook:
    return Webhook(secret)
