"""The role of a user: operator, customer or neither."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist

VIEW_ORDERS = "orders.view_order"
"""The permission of staff to read everything, which each role has."""


def sees_everything(user: Any) -> bool:
    """Returns True for operators: members of the staff who may view all orders."""
    return bool(user.is_staff and user.has_perm(VIEW_ORDERS))


def customer_of(user: Any) -> Any:
    """Returns the customer of this user, or None."""
    try:
        return user.customer
    except (AttributeError, ObjectDoesNotExist):
        return None


def actor_of(user: Any, customer_id: str | None = None) -> str:
    """Returns the name of this user in a history: the customer's code if the order is their own, else the username."""
    own = customer_id_of(user)
    return own if own and own == customer_id else str(user.get_username())


def customer_id_of(user: Any) -> str | None:
    """Returns the code of this user's customer, or None."""
    customer = customer_of(user)
    return customer.pk if customer else None
