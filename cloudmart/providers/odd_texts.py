"""The texts of the mock providers and the sandbox: plain, or as odd as those of some real providers."""

from collections.abc import Callable
from zlib import crc32

from django.conf import settings

PLAIN = "plain"
ANY = "any"

WAYS: dict[str, Callable[[str], str]] = {
    PLAIN: lambda text: text,
    "long": lambda text: text.ljust(65, "."),
    "longer": lambda text: text.ljust(255, "."),
    "longest": lambda text: text.ljust(338, "."),
    "empty": lambda text: "",
    "unicode": lambda text: f"{text} 👩🏽‍🚀 e\u0301 \u202eעברית",
    "control": lambda text: f"{text}\0\r\n\x1b[31m",
    "surrogate": lambda text: f"{text}\ud800",
}
"""Ways to word a text, by the values of PROVIDER_TEXTS."""


def worded(text: str, key: str) -> str:
    """Returns `text` in the way of PROVIDER_TEXTS. With `any`, the request's key decides the way."""
    way = settings.PROVIDER_TEXTS
    return WAYS[_way_of(key) if way == ANY else way](text)


def _way_of(key: str) -> str:
    """The same key has the same way in every process."""
    return list(WAYS)[crc32(key.encode()) % len(WAYS)]
