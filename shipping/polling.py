"""Asking the carrier what has become of the parcels that have not arrived."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from cloudmart.database.clock import READ_AT, DatabaseNow, database_now, from_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.sharing import ALONE, Share, alone
from cloudmart.kernel.stopping import ShouldStop
from cloudmart.providers.outcomes import RetryableError
from shipping.carriers.port import Tracks, carrier
from shipping.carriers.reports import Report
from shipping.models import Shipment

logger = logging.getLogger(__name__)

BATCH = 50
AGE_PER_WAIT = 10
"""A parcel is polled next after a tenth of its age, if that is longer than CARRIER_POLL_INTERVAL."""
LONGEST_SLEEP = 0.5
"""Seconds that a worker which is to stop goes on waiting, however low CARRIER_POLL_RATE is."""


class DueParcel(NamedTuple):
    """A parcel that the carrier has to be asked about, and when it was read."""

    pk: UUID
    order_id: UUID
    key: str
    created_at: datetime
    read_at: datetime


def polled(should_stop: ShouldStop, share: Callable[[], Share] = alone) -> Iterator[tuple[UUID, Report | None]]:
    """Asks about each parcel that is due now, once, and yields its order and what the carrier says.

    Asks at most CARRIER_POLL_RATE times a second, and no carrier that cannot be asked. Each parcel is asked about by
    one worker; and again by a later run, whatever the carrier says.
    """
    asked = carrier()
    if not isinstance(asked, Tracks):
        return
    began = database_now()
    while batch := due(BATCH, began, share()):
        for parcel in batch:
            if should_stop():
                return
            if reschedule(parcel):
                yield parcel.order_id, _ask(asked, parcel)
                _keep_to_rate(should_stop)


def due(limit: int, at: datetime, share: Share = ALONE) -> list[DueParcel]:
    """Returns the parcels of this share that were due at this time, those first that have been due longest."""
    parcels = Shipment.objects.filter(next_poll_at__lte=at).order_by("next_poll_at").annotate(**READ_AT)
    columns = ("pk", "order_id", "idempotency_key", "created_at", *READ_AT)
    return share.of([DueParcel(*row) for row in parcels.values_list(*columns)[: share.window(limit)]], limit)


@durable
def reschedule(parcel: DueParcel) -> bool:
    """Sets, by compare-and-set, the time of the next poll. Returns False if another worker has."""
    wait = max(settings.CARRIER_POLL_INTERVAL, (parcel.read_at - parcel.created_at) / AGE_PER_WAIT)
    whole = timedelta(seconds=max(1, int(wait.total_seconds())))
    is_due = Shipment.objects.filter(pk=parcel.pk, next_poll_at__lte=DatabaseNow())
    return bool(is_due.update(next_poll_at=from_now(whole)))


def _keep_to_rate(should_stop: ShouldStop) -> None:
    """Waits until CARRIER_POLL_RATE allows another request, or `should_stop()`."""
    end = monotonic() + (1 / settings.CARRIER_POLL_RATE if settings.CARRIER_POLL_RATE else 0)
    while (left := end - monotonic()) > 0 and not should_stop():
        sleep(min(left, LONGEST_SLEEP))


def _ask(asked: Tracks, parcel: DueParcel) -> Report | None:
    """An error is logged: it holds up no other parcel."""
    try:
        return asked.track(parcel.key)
    except RetryableError as error:
        logger.warning("the carrier does not say what has become of the parcel of %s: %s", parcel.order_id, error)
    except Exception:
        logger.exception("asking about the parcel of %s failed", parcel.order_id)
    return None
