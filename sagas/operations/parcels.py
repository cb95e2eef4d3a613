"""Marking parcels as shipped: only once the order is sold, for until then its saga may have to cancel the parcel."""

from contextlib import suppress
from uuid import UUID

from cloudmart.database.transactions import durable
from sagas.errors import SagaNotFound, SagaRunning
from sagas.locks import lock_saga
from shipping import services as shipping


@durable
def mark_as_shipped(order_id: UUID) -> None:
    """Marks the parcel of an order whose saga is finished, or that is not ours, as shipped.

    Raises SagaRunning, ShipmentNotFound, and IllegalMove unless the parcel is arranged.
    """
    with suppress(SagaNotFound):
        saga = lock_saga(order_id)
        if not saga.is_finished:
            raise SagaRunning(f"The order is not sold: its saga is {saga.status}.", order_id=str(order_id))
    shipping.mark_as_shipped(order_id)
