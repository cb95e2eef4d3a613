"""What a carrier reports of a parcel, in a webhook or when it is polled."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.utils.dateparse import parse_datetime


class Progress(StrEnum):
    SHIPPED = "shipped"  #: The carrier has collected the parcel.
    DELIVERED = "delivered"  #: The customer has it.


@dataclass(frozen=True, slots=True)
class Report:
    """What has become of a parcel last."""

    progress: Progress
    at: datetime | None = None
    """When, by the carrier's clock; None if it does not say."""


def report_of(status: str, at: Any) -> Report | None:
    """Returns the report with the carrier's word for it; None if the parcel has not left."""
    if status not in set(Progress):
        return None
    return Report(Progress(status), _time_of(at))


def _time_of(text: Any) -> datetime | None:
    """Returns the time in UTC; None if it is unreadable or names no time zone."""
    try:
        at = parse_datetime(text)
        return at.astimezone(UTC) if at and at.tzinfo else None
    except (OverflowError, TypeError, ValueError):
        return None
