"""The comparison of our records with a provider's ledger, if it has one that we can read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, runtime_checkable

from cloudmart.database.invariants import Finding, Rows


@runtime_checkable
class HasLedger(Protocol):
    """An adapter that can read its provider's whole ledger, as the sandbox's can."""

    def ledger(self) -> Mapping[str, int]:
        """Returns what is left of each charge (in minor units) or parcel (1) at the provider, by idempotency key."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The promise that the provider's ledger agrees with our records."""

    name: str
    promise: str
    provider: Callable[[], object]
    records: Callable[[], Rows]
    """Rows of: a key, and the least and the most that may be left under it."""

    @property
    def is_possible(self) -> bool:
        return isinstance(self.provider(), HasLedger)

    def check(self, limit: int) -> Finding:
        """Returns at most `limit` keys that differ in two comparisons: in one, they may be work in progress."""
        began = perf_counter()
        differing = set(self._differing())
        if differing:
            differing.intersection_update(self._differing())
        seconds = round(perf_counter() - began, 3)
        names = tuple(sorted(differing)[:limit])
        checked = self.records().count()
        return Finding(self.name, self.promise, checked, names, len(differing) > limit, seconds)

    def _differing(self) -> Iterator[str]:
        provider = self.provider()
        left = dict(provider.ledger()) if isinstance(provider, HasLedger) else {}
        for key, least, most in self.records().iterator():
            if not least <= left.pop(key, 0) <= most:
                yield key
        yield from left
