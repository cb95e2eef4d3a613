"""How long to wait between attempts."""

import random
from datetime import timedelta


def backoff(attempts: int, first: timedelta, longest: timedelta) -> timedelta:
    """Returns the wait after so many failed attempts: exponential from `first` up to `longest`, half of it random.

    The random part spreads those that failed together.
    """
    return min(first * 2 ** min(attempts - 1, 30), longest) * random.uniform(0.5, 1)
