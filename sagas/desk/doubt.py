"""Requests that an unforeseen error interrupts: the error names the order, so that the client does not repeat it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import Error, close_old_connections

from cloudmart.database.errors import remedy_for
from cloudmart.kernel.errors import DomainError, KeyClaimed, OrderInDoubt
from sagas.models import SagaInstance


@contextmanager
def naming_order(order_id: UUID, *, is_new: bool = False) -> Iterator[None]:
    """Raises OrderInDoubt from every unforeseen error within.

    If the order `is_new` and certainly not stored, the error is raised as it is: the request has done nothing.
    """
    try:
        yield
    except (DomainError, KeyClaimed, OrderInDoubt):
        raise
    except Exception as error:
        if is_new and not may_be_stored(order_id, error):
            raise
        raise OrderInDoubt(order_id, error) from error


def may_be_stored(order_id: UUID, error: Exception) -> bool:
    """Returns False only if the first transaction of the order's saga has certainly not been committed.

    A lost connection may have been lost at COMMIT, which the server may execute even after this function has read.
    """
    remedy = remedy_for(error) if isinstance(error, Error) else None
    if remedy and not remedy.is_certain_at_commit:
        return True
    close_old_connections()
    try:
        return SagaInstance.objects.filter(order_id=order_id).exists()
    except Error:
        return True
