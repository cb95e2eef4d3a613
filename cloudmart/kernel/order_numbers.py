"""The short number of an order: the last eight hexadecimal digits of its id, which are random.

Two orders among a million may have the same number, so it finds orders and does not identify one.
"""

from uuid import UUID

LENGTH = 8
HALF = LENGTH // 2


def number_of(order_id: UUID) -> str:
    """Returns the stored form: `A7F3B34C`."""
    return order_id.hex[-LENGTH:].upper()


def shown(order_id: UUID) -> str:
    """Returns the number as people read it: `A7F3-B34C`."""
    number = number_of(order_id)
    return f"{number[:HALF]}-{number[HALF:]}"


def beginning_of(term: str) -> str | None:
    """Returns the stored form of a number or of its beginning as people write it; None if it cannot be one.

    A leading `#`, hyphens and lower case are accepted.
    """
    digits = term.strip().removeprefix("#").replace("-", "").upper()
    is_number = 3 <= len(digits) <= LENGTH and set(digits) <= set("0123456789ABCDEF")
    return digits if is_number else None
