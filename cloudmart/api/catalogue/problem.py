"""What the catalogue says of one kind of error."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error. The code never changes; the sentences may."""

    status: int
    advice: str
    meaning: str = ""
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""
    example: dict[str, Any] = field(default_factory=dict)
    """Details as they may stand in the response, for the documentation."""
