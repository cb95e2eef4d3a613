"""Webhooks: requests of a provider, which carry a signature instead of a token (https://www.standardwebhooks.com)."""

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

logger = logging.getLogger(__name__)

HEADERS = {
    "webhook-id": "The same for each delivery of an event",
    "webhook-timestamp": "The time of sending, in seconds since 1970: within five minutes of the server's",
    "webhook-signature": "`v1,` and the signature, in base64; or several of these, separated by spaces",
}
PARAMETERS = [
    OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text, required=True)
    for name, text in HEADERS.items()
]


class InvalidSignature(AuthenticationFailed):
    default_detail = "The signature of the webhook is missing, wrong, or too old."
    code = default_code = "invalid_signature"


class Sender:
    """The provider that has signed a webhook. All its requests count as those of one user."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.pk = self.name = name


class Signed(BaseAuthentication):
    """Accepts requests that are signed with one of the secrets of a setting. While that is empty, accepts none."""

    name: ClassVar[str]
    setting: ClassVar[str]

    @classmethod
    def by(cls, name: str, setting: str) -> type["Signed"]:
        return type(f"SignedBy{name.title()}", (cls,), {"name": name, "setting": setting})

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Returns None for a request that is no POST, which every webhook is. Raises InvalidSignature."""
        if request.method != "POST":
            return None
        secrets = getattr(settings, self.setting)
        if not is_signed(request.body, request.headers, secrets):
            logger.warning("a webhook was refused%s", "" if secrets else f": {self.setting} is empty")
            raise InvalidSignature
        return Sender(self.name), None

    def authenticate_header(self, request: Request) -> str:
        return "webhook-signature"


def is_signed(body: bytes, headers: Any, secrets: Iterable[str]) -> bool:
    """Returns True if the body is signed with one of the secrets, within five minutes of now."""
    return any(_is_signed_with(secret, body, dict(headers)) for secret in secrets)


def _is_signed_with(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
