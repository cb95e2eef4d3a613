"""Our books held against a provider's, where the provider lets us look into them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, runtime_checkable

from cloudmart.database.invariants import Finding, Rows


@runtime_checkable
class KeepsLedger(Protocol):
    """What an adapter is besides when it can tell all that its provider has done, as a sandbox can."""

    def ledger(self) -> Mapping[str, int]:
        """What is left of each charge (minor units) or parcel (1) that is not undone, by the key that asked for it."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The promise that of everything that we asked for, as much is left at the provider as our books say."""

    name: str
    promise: str
    provider: Callable[[], object]
    books: Callable[[], Rows]
    """Rows of: a key, the least and the most that may be left under it."""

    @property
    def is_possible(self) -> bool:
        return isinstance(self.provider(), KeepsLedger)

    def check(self, limit: int) -> Finding:
        """Name at most `limit` keys under which the books differ, twice: once may be what is just being done."""
        began = perf_counter()
        differing = set(self._differing())
        if differing:
            differing.intersection_update(self._differing())
        seconds = round(perf_counter() - began, 3)
        names = tuple(sorted(differing)[:limit])
        checked = self.books().count()
        return Finding(self.name, self.promise, checked, names, len(differing) > limit, seconds)

    def _differing(self) -> Iterator[str]:
        provider = self.provider()
        left = dict(provider.ledger()) if isinstance(provider, KeepsLedger) else {}
        for key, least, most in self.books().iterator():
            if not least <= left.pop(key, 0) <= most:
                yield key
        yield from left
