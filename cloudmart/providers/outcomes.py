"""What a provider has done with a request: accepted it, refused it, or nobody knows."""

import logging
from dataclasses import dataclass

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_REASON, LONGEST_REFERENCE, storable

logger = logging.getLogger(__name__)


class RetryableError(Exception):
    """A provider call failed in a way that a retry may mend."""


class ProviderUnavailable(RetryableError):
    """The provider did not take the request: nothing has happened."""


class OutcomeUnknown(RetryableError):
    """No response came: the request may have been carried out, or may be yet. Retry with the same key, or look up."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has carried out the request."""

    reference: str = ""
    """The provider's own name for what it did; "" where it gives none."""

    def __post_init__(self) -> None:
        reference = storable(self.reference, LONGEST_REFERENCE)
        if len(self.reference) > LONGEST_REFERENCE:
            logger.warning("a provider's reference of %s characters is cut: %s", len(self.reference), reference)
        object.__setattr__(self, "reference", reference)


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has certainly not carried out the request, and `error` says why.

    Of the provider's refusal only its sentence and its code, the `reason`, are kept.
    """

    error: DomainError

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _storable_refusal(self.error))

    def __str__(self) -> str:
        return str(self.error)

    @property
    def reason(self) -> str:
        """The provider's code of the refusal; the error's own code if it has none."""
        return str(self.error.details.get("reason", self.error.code))


@dataclass(frozen=True, slots=True)
class Unknown:
    """It is not known whether the provider has carried out the request."""

    reason: str

    def __str__(self) -> str:
        return self.reason

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable(self.reason, LONGEST_REASON))


Outcome = Accepted | Refused | Unknown


def with_reference(outcome: Outcome, key: str) -> Outcome:
    """Returns the outcome, and of an accepted one without a reference the key as its reference."""
    return Accepted(key) if outcome == Accepted("") else outcome


def _storable_refusal(error: DomainError) -> DomainError:
    """The same refusal in texts that fit our columns. An empty reason is replaced by the error's own code."""
    detail = storable(error.detail, LONGEST_REASON)
    if "reason" not in error.details:
        return type(error)(detail)
    return type(error)(detail, reason=storable(str(error.details["reason"] or ""), LONGEST_CODE) or error.code)
