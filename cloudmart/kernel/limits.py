"""The maximum size of an order."""

from collections.abc import Mapping

from django.conf import settings

from cloudmart.kernel.errors import DomainError


class OrderTooLarge(DomainError, code="order_too_large"):
    """The order has too many lines, or a line too many copies."""


def check_size(quantities: Mapping[str, int]) -> None:
    """Raises OrderTooLarge for too many books, or too many copies of one. `quantities` are summed by book."""
    most_lines, most_copies = settings.MAX_LINES_PER_ORDER, settings.MAX_QUANTITY_PER_LINE
    if len(quantities) > most_lines or max(quantities.values(), default=0) > most_copies:
        raise OrderTooLarge(most_lines=most_lines, most_copies=most_copies)
