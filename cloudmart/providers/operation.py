"""What can be asked of a provider: `begin` records the intent, `call` sends it, `settle` records the outcome."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.outcomes import Accepted, Outcome, Refused


class OfOrder(Protocol):
    @property
    def order_id(self) -> UUID: ...


Subject = TypeVar("Subject", bound=OfOrder)
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Intent(Generic[Record]):
    """What is about to be asked of a provider: the stored record, with its idempotency key."""

    record: Record
    is_new: bool
    """This transaction has created it: nobody can have sent it before."""


class RemoteOperation(ABC, Generic[Subject, Record]):
    """A provider operation in three parts, and the lookup of its outcome.

    `begin` and `settle` run in a transaction; `call` and `lookup` run outside of any, and raise RetryableError.
    """

    command: str
    """The name of the operation in logs and events, such as ProcessPayment."""

    unavailable: type[DomainError]
    """Why the step fails if the provider never took the request."""

    undoes: bool = False
    """An undo cannot be refused: it is repeated until it is accepted."""

    @abstractmethod
    def begin(self, order: Subject) -> Intent[Record] | None:
        """Records the intent and returns it. Returns None if there is nothing to ask."""

    @abstractmethod
    def call(self, intent: Intent[Record]) -> Outcome:
        """Sends the request. The same intent is always sent under the same key."""

    @abstractmethod
    def settle(self, intent: Intent[Record], outcome: Outcome) -> None:
        """Records the outcome. A second call changes nothing.

        Raises IllegalMove if another outcome is recorded already.
        """

    @abstractmethod
    def lookup(self, intent: Intent[Record]) -> Outcome:
        """Asks what became of the request."""

    def details(self, intent: Intent[Record], outcome: Outcome | None = None) -> dict[str, Any]:
        """Returns what is worth recording of the request and of its outcome, as JSON: amounts, references."""
        return {}

    def is_settled_by(self, outcome: Outcome) -> bool:
        """Returns True if this outcome can be recorded; else the request has to be repeated."""
        return isinstance(outcome, Accepted) or (isinstance(outcome, Refused) and not self.undoes)
