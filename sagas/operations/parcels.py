"""Marks parcels as shipped and delivered: for an operator, the carrier's webhook, and a poll of the carrier.

A parcel is marked once its order's saga is finished: until then the saga may have to cancel the parcel. The exception
is a saga that compensates and waits: the carrier may have collected the parcel before it was cancelled.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import close_old_connections
from django.utils.translation import gettext

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.sharing import Share, alone
from cloudmart.kernel.stopping import ShouldStop
from sagas.engine.lease import is_driven
from sagas.errors import SagaNotFound, SagaRunning
from sagas.events import EventType, record
from sagas.locks import lock_saga
from sagas.models import SagaInstance, State
from shipping import services as shipping
from shipping.carriers.reports import Progress, Report
from shipping.models import Shipment
from shipping.polling import polled

logger = logging.getLogger(__name__)


@durable
def mark_as_shipped(order_id: UUID, at: datetime | None = None) -> None:
    """Records that the carrier has collected the parcel. A second call changes nothing.

    Raises SagaRunning, ShipmentNotFound, and IllegalMove unless the parcel was arranged and is not cancelled.
    """
    saga = _lock_waiting_saga(order_id)
    if (parcel := shipping.mark_as_shipped(order_id, at)) and saga:
        record(order_id, EventType.ORDER_SHIPPED, _data(parcel, "shipped_at"))


@durable
def mark_as_delivered(order_id: UUID, at: datetime | None = None) -> None:
    """Records that the customer has the parcel. A second call changes nothing. Raises as `mark_as_shipped`."""
    saga = _lock_waiting_saga(order_id)
    if (parcel := shipping.mark_as_delivered(order_id, at)) and saga:
        record(order_id, EventType.ORDER_DELIVERED, _data(parcel, "delivered_at"))


MARKS = {Progress.SHIPPED: mark_as_shipped, Progress.DELIVERED: mark_as_delivered}


def poll_parcels(should_stop: ShouldStop, share: Callable[[], Share] = alone) -> int:
    """Asks the carrier about each parcel that is due, and records what it says. Returns how many it asked about."""
    asked = 0
    for order_id, report in polled(should_stop, share):
        asked += 1
        if report:
            _apply(order_id, report)
    return asked


def _apply(order_id: UUID, report: Report) -> None:
    """What cannot be recorded now is logged, and recorded after the next poll."""
    try:
        MARKS[report.progress](order_id, report.at)
    except DomainError as refusal:
        logger.warning("the parcel of order %s is %s, but %s", order_id, report.progress, refusal)
    except Exception:
        logger.exception("the parcel of order %s is %s, which could not be recorded", order_id, report.progress)
        close_old_connections()


def _data(parcel: Shipment, time: str) -> dict[str, Any]:
    """Returns what an event says of the parcel, with the time in this column."""
    names = ("customer_id", "carrier", "tracking_number")
    return {**{name: getattr(parcel, name) for name in names}, time: getattr(parcel, time).isoformat()}


def _lock_waiting_saga(order_id: UUID) -> SagaInstance | None:
    """Returns the order's locked saga; None if the order is not ours. Raises SagaRunning."""
    try:
        saga = lock_saga(order_id)
    except SagaNotFound:
        return None
    check_waits(saga, saga.read_at)
    return saga


def check_waits(saga: SagaInstance, now: datetime) -> None:
    """Raises SagaRunning unless the saga is finished, or compensates and waits at this time."""
    if not (saga.is_finished or (saga.status == State.COMPENSATION_STARTED and not is_driven(saga, now))):
        detail = gettext("The saga of the order is not finished: %(state)s.") % {"state": saga.status}
        raise SagaRunning(detail, order_id=str(saga.order_id))
