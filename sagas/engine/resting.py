"""The moment at which a saga ends, whoever drives it, and in whichever style."""

from dataclasses import dataclass
from typing import Any

from django.dispatch import Signal

from cloudmart.kernel.order import OrderSnapshot


@dataclass(frozen=True, slots=True)
class Rest:
    """How a saga ends."""

    order: OrderSnapshot
    state: str
    failure: dict[str, Any] | None
    answers_key: str


came_to_rest = Signal()
"""Sent with a Rest, by SagaInstance, in the transaction that brings a saga to rest."""
