"""Text from outside, made fit for our columns: for every database, and no longer than they are."""

import re

LONGEST_CODE = 64
LONGEST_REASON = 200
"""Of the sentence that says why something was refused, cancelled or abandoned."""
LONGEST_REFERENCE = 255
"""Of a provider's name for what it has done."""
LONGEST_ERROR = 500
"""Of what a failed try says in a log."""

REPLACEMENT = "\ufffd"
UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which are no characters at all."""


def storable(text: str, limit: int) -> str:
    """Returns the first `limit` characters of `text`, those that cannot be stored and shown everywhere replaced."""
    return UNSTORABLE.sub(REPLACEMENT, text[:limit])
