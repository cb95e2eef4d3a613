"""What the mock gateway and the mock carrier share: outcomes stored by key, and a diary for tests and demos."""

import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from django.conf import settings

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.magic import Behaviour, Refusal
from cloudmart.providers.odd_texts import worded
from cloudmart.providers.outcomes import Accepted, Outcome, OutcomeUnknown, ProviderUnavailable, Refused, Unknown

REMEMBERED_KEYS = 10_000


class MockProvider:
    """Repeats the stored outcome of a key. The oldest keys and diary entries are forgotten."""

    def __init__(self) -> None:
        self.diary: deque[tuple[str, str]] = deque(maxlen=REMEMBERED_KEYS)
        """(operation, key) of every call, in order."""
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._lock = threading.Lock()

    def lookup(self, key: str) -> Outcome:
        """Returns the stored outcome of this key; Unknown if there is none."""
        return self._outcomes.get(key, Unknown("no request with this key has been seen"))

    def _execute(
        self,
        operation: str,
        key: str,
        behaviour: Behaviour,
        prefix: str,
        refusal: type[DomainError],
        carry_out: Callable[[], Refusal | None] = lambda: None,
    ) -> Outcome:
        """Carries out a request, once, whose magic value, if it is allowed, decides the behaviour."""
        attempt = self._record_call(operation, key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        if not settings.ALLOW_MAGIC_TOKENS:
            behaviour = Behaviour()
        if behaviour.refusal:
            return self._store_outcome(key, refused(refusal, behaviour.refusal, key))
        if attempt <= behaviour.not_taken:
            raise ProviderUnavailable(f"attempt {attempt}")
        if behaviour.slow:
            time.sleep(behaviour.slow)

        def decide() -> Outcome:
            reason = carry_out()
            return refused(refusal, reason, key) if reason else accepted(prefix, key)

        outcome = self._once(key, decide)
        if attempt <= behaviour.lost:
            raise OutcomeUnknown(f"attempt {attempt}")
        return outcome

    def _record_call(self, operation: str, key: str) -> int:
        """Returns the number of this attempt with the key, from 1."""
        with self._lock:
            self.diary.append((operation, key))
            self._attempts[key] = self._attempts.get(key, 0) + 1
            forget_oldest(self._attempts)
            return self._attempts[key]

    def _once(self, key: str, decide: Callable[[], Outcome]) -> Outcome:
        """Returns the outcome of `key`. Decides it, with all other requests locked out, if there is none."""
        with self._lock:
            if key not in self._outcomes:
                self._outcomes[key] = decide()
                forget_oldest(self._outcomes)
            return self._outcomes[key]

    def _store_outcome(self, key: str, outcome: Outcome) -> Outcome:
        """Returns the outcome of `key`, which is a refusal if one was stored meanwhile."""
        with self._lock:
            if isinstance(known := self._outcomes.get(key), Refused):
                return known
            self._outcomes[key] = outcome
            forget_oldest(self._outcomes)
            return outcome


def forget_oldest(memory: OrderedDict[str, Any]) -> None:
    while len(memory) > REMEMBERED_KEYS:
        memory.popitem(last=False)


def accepted(prefix: str, key: str) -> Accepted:
    """The same key has the same reference in every process."""
    return Accepted(worded(f"{prefix}_{hashlib.sha256(key.encode()).hexdigest()[:20]}", key))


def refused(error: type[DomainError], refusal: Refusal, key: str) -> Refused:
    return Refused(error(worded(refusal.detail, key), reason=worded(refusal.reason, key)))
