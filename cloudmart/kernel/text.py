"""Makes text from outside fit our columns, on every database."""

import re

LONGEST_CODE = 64
LONGEST_REASON = 200
"""The reason of a refusal, a cancellation or an abandoned saga."""
LONGEST_REFERENCE = 255
"""A provider's reference."""
LONGEST_ERROR = 500
"""The error of a failed attempt in the step log."""

UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs."""


def storable(text: str, limit: int) -> str:
    """Returns the first `limit` characters of `text`, with unstorable characters replaced."""
    return UNSTORABLE.sub("\ufffd", text[:limit])
