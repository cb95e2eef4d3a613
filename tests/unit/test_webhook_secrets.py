"""Secrets and signatures, checked by the library that receivers use."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cloudmart.checks import is_webhook_secret
from cloudmart.webhooks.models import WebhookEndpoint
from cloudmart.webhooks.secrets import new_secret, signature_headers, valid_secrets

BODY = json.dumps({"title": "坊っちゃん"}, ensure_ascii=False)


@pytest.fixture
def now():
    return datetime.now(UTC)


def test_a_secret_has_the_notation_of_standard_webhooks():
    assert is_webhook_secret(new_secret()) and new_secret() != new_secret()


def test_a_signature_is_accepted_by_the_library(now):
    secret = new_secret()
    headers = signature_headers([secret], "event-1", now, BODY)
    assert Webhook(secret).verify(BODY.encode(), headers) == {"title": "坊っちゃん"}
    for changed in ({"webhook-id": "event-2"}, {"webhook-timestamp": str(int(now.timestamp()) + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_both_secrets_are_valid_after_a_rotation(now):
    old, new = new_secret(), new_secret()
    endpoint = WebhookEndpoint(secret=new, previous_secret=old, previous_secret_until=now + timedelta(seconds=1))
    headers = signature_headers(valid_secrets(endpoint, now), "event-1", now, BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    assert valid_secrets(endpoint, now + timedelta(seconds=1)) == [new]
