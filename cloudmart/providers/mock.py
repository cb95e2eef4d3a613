"""What the mock gateway and the mock carrier have in common: a memory of keys, and a diary for tests and demos."""

import hashlib
import threading
from collections import OrderedDict, deque
from typing import Any

from django.conf import settings

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.magic import Fate, Refusal
from cloudmart.providers.odd_texts import said
from cloudmart.providers.remote import Accepted, Outcome, Refused, Unknown

REMEMBERED_KEYS = 10_000


class MockProvider:
    """Answers a key as it answered it before; the oldest keys are forgotten, and the diary is as short."""

    def __init__(self) -> None:
        self.diary: deque[tuple[str, str]] = deque(maxlen=REMEMBERED_KEYS)
        """(verb, key) of every call, in order."""
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._lock = threading.Lock()

    def lookup(self, key: str) -> Outcome:
        """What became of the request with this key."""
        return self._outcomes.get(key, Unknown("no request with this key has been seen"))

    def _note(self, verb: str, key: str) -> int:
        """Write the call down; returns which try of this key it is, from 1."""
        with self._lock:
            self.diary.append((verb, key))
            self._tries[key] = self._tries.get(key, 0) + 1
            _forget_oldest(self._tries)
            return self._tries[key]

    def _answer(self, key: str, outcome: Outcome) -> Outcome:
        """Store and return the outcome of `key`; a refusal that was stored in the meantime stands."""
        with self._lock:
            if isinstance(known := self._outcomes.get(key), Refused):
                return known
            self._outcomes[key] = outcome
            _forget_oldest(self._outcomes)
            return outcome


def _forget_oldest(memory: OrderedDict[str, Any]) -> None:
    while len(memory) > REMEMBERED_KEYS:
        memory.popitem(last=False)


def allowed(fate: Fate) -> Fate:
    """Returns the fate if ALLOW_MAGIC_TOKENS is set; else that of an ordinary value."""
    return fate if settings.ALLOW_MAGIC_TOKENS else Fate()


def accepted(prefix: str, key: str) -> Accepted:
    """The same key gives the same reference, in every process."""
    return Accepted(said(f"{prefix}_{hashlib.sha256(key.encode()).hexdigest()[:20]}", key))


def refused(meaning: type[DomainError], no: Refusal, key: str) -> Refused:
    """A refusal, and what it means to us."""
    return Refused(meaning(said(no.detail, key), reason=said(no.reason, key)))
