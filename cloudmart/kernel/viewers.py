"""Who is asking: an operator, a customer, or nobody."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist


def sees_everything(user: Any) -> bool:
    """Operators are the shop's staff."""
    return bool(user.is_staff)


def customer_of(user: Any) -> Any:
    """The customer that this user is; None when the user is none."""
    try:
        return user.customer
    except (AttributeError, ObjectDoesNotExist):
        return None


def actor_of(user: Any, customer_id: str | None = None) -> str:
    """What a history calls this user: the customer's code where the order is their own, or else their name."""
    own = customer_id_of(user)
    return own if own and own == customer_id else str(user.get_username())


def customer_id_of(user: Any) -> str | None:
    """The code of the customer that this user is; None when the user is none."""
    customer = customer_of(user)
    return customer.pk if customer else None
