"""What must stand in no log line, even where an exception's own text contains it."""

import re
from contextvars import ContextVar

SHORTEST = 6
"""Characters: anything shorter is no secret, and hiding it would only garble the log."""
MOST = 16
"""Secrets that one thread of control remembers; a worker that drives many sagas forgets the oldest."""

LIKE_A_TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
"""An API token, wherever it stands: in the path of a URL, say."""
QUERY_VALUE = re.compile(r"([?&][^\s?&=#\"']+=)[^\s&#\"']+")
"""What a URL says after a parameter's name."""

_secrets: ContextVar[tuple[str, ...]] = ContextVar("secrets", default=())


def register_secret(secret: str) -> None:
    """From now on, in this request or thread, `redacted` hides it."""
    if len(secret) >= SHORTEST and secret not in _secrets.get():
        _secrets.set((*_secrets.get(), secret)[-MOST:])


def forget_secrets() -> None:
    """Forget the secrets of the request before."""
    _secrets.set(())


def redacted(text: str) -> str:
    """`text` with every secret blotted out, whatever looks like a token, and the values of URLs' parameters."""
    for secret in _secrets.get():
        text = text.replace(secret, "***")
    return QUERY_VALUE.sub(r"\1***", LIKE_A_TOKEN.sub("***", text))
