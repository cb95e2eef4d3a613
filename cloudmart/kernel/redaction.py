"""Secrets, and their removal from log lines."""

import re
from contextvars import ContextVar

MIN_LENGTH = 6
"""Of a secret. Redacting a shorter text would garble the log."""
MAX_SECRETS = 16
"""That one request or thread remembers. The oldest is forgotten first."""

LENGTH_OF_API_TOKEN = 64
API_TOKEN = re.compile(rf"(?<![0-9a-f])[0-9a-f]{{{LENGTH_OF_API_TOKEN}}}(?![0-9a-f])", re.IGNORECASE)
"""An API token anywhere in a text, such as in the path of a URL."""
QUERY_VALUE = re.compile(r"([?&][^\s?&=#\"']+=)[^\s&#\"']+")
"""The value of a URL's query parameter."""

_secrets: ContextVar[tuple[str, ...]] = ContextVar("secrets", default=())


def register_secret(secret: str) -> None:
    """Has `redacted` hide this secret for the rest of the present request or thread."""
    if len(secret) >= MIN_LENGTH and secret not in _secrets.get():
        _secrets.set((*_secrets.get(), secret)[-MAX_SECRETS:])


def forget_secrets() -> None:
    """Forgets the secrets of the previous request."""
    _secrets.set(())


def redacted(text: str) -> str:
    """Returns `text` without registered secrets, API tokens and the values of query parameters."""
    for secret in _secrets.get():
        text = text.replace(secret, "***")
    if len(text) >= LENGTH_OF_API_TOKEN:
        text = API_TOKEN.sub("***", text)
    return QUERY_VALUE.sub(r"\1***", text) if "=" in text else text
