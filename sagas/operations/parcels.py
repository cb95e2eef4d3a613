"""A parcel is shipped once its order is completed: until then the order's saga may have to cancel it."""

from contextlib import suppress
from uuid import UUID

from cloudmart.database.transactions import durable
from sagas.errors import SagaNotFound, SagaRunning
from sagas.locks import lock_saga
from shipping import services as shipping


@durable
def mark_as_shipped(order_id: UUID) -> None:
    """Mark the parcel of a completed order, or of an order of another system, as shipped.

    Raises SagaRunning, ShipmentNotFound, and IllegalMove unless the parcel was arranged.
    """
    with suppress(SagaNotFound):
        saga = lock_saga(order_id)
        if not saga.is_finished:
            raise SagaRunning(f"The order is not sold: its saga is {saga.status}.", order_id=str(order_id))
    shipping.mark_as_shipped(order_id)
