"""Requests that break off while they work on an order: the client learns which, and is not told to place it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import Error, close_old_connections

from cloudmart.api.idempotency import KeyTaken
from cloudmart.database.errors import remedy_for
from cloudmart.kernel.errors import DomainError, OrderInDoubt
from sagas.models import SagaInstance


@contextmanager
def naming_order(order_id: UUID, *, is_new: bool = False) -> Iterator[None]:
    """Raises OrderInDoubt from every error within that nobody foresaw.

    Where the order `is_new`, and certainly not written, the error stays what it is: the request has done nothing.
    """
    try:
        yield
    except (DomainError, KeyTaken, OrderInDoubt):
        raise
    except Exception as error:
        if is_new and not may_be_written(order_id, error):
            raise
        raise OrderInDoubt(order_id, error) from error


def may_be_written(order_id: UUID, error: Exception) -> bool:
    """Returns False only if the first transaction of the order's saga has certainly not committed.

    A connection that was lost may have been lost at COMMIT, which the server may carry out even after we have looked.
    """
    remedy = remedy_for(error) if isinstance(error, Error) else None
    if remedy and not remedy.is_certain_at_commit:
        return True
    close_old_connections()
    try:
        return SagaInstance.objects.filter(order_id=order_id).exists()
    except Error:
        return True
