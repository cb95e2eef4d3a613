"""Running the orders of batches, one after another. What goes wrong with one order concerns no other.

An order whose worker has died is run once more: a saga's command that is repeated changes nothing, or continues.
"""

from collections.abc import Callable
from time import monotonic

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.sharing import Share, alone
from cloudmart.kernel.stopping import ShouldStop, never
from sagas.batches import BatchItem
from sagas.operations.batches.choosing import why_left_out
from sagas.operations.batches.metrics import count_item
from sagas.operations.batches.queue import acquire, conclude, due
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.records import records_of
from sagas.operations.reports import Report
from sagas.operations.running import failed, nothing_done, refused, run

logger = get_logger(__name__)

READ_AT_ONCE = 20


def run_due(should_stop: ShouldStop = never, share: Callable[[], Share] = alone) -> int:
    """Runs due items until there are none. Returns how many were run."""
    total, some = 0, True
    while some and not should_stop():
        done = sum(_run_if_free(item, should_stop) for item in due(READ_AT_ONCE, share()))
        total, some = total + done, done > 0
    return total


def _run_if_free(item: BatchItem, should_stop: ShouldStop) -> bool:
    """Runs the item and stores its result, unless another worker was faster, or this one is to stop."""
    if should_stop() or not acquire(item):
        return False
    with bound_contextvars(request_id=str(new_id()), batch_id=str(item.batch_id), order_id=str(item.order_id)):
        with translation.override(item.batch.language or None):
            report = run_item(item, _within_budget(should_stop))
        count_item(item.batch.command, str(report.result))
        logger.info("batch item", command=item.batch.command, result=str(report.result))
        if not conclude(item, report):
            logger.info("lease lost")
    return True


def run_item(item: BatchItem, should_stop: ShouldStop) -> Report:
    """Runs the batch's command on the item's order. Raises nothing."""
    batch = item.batch
    try:
        command, records = DeskCommand(batch.command), records_of(item.order_id)
        why = why_left_out(command, records)
    except DomainError as refusal:
        return refused(refusal)
    except Exception as error:
        return failed(error)
    if why and item.fence > 1:
        again = gettext("Another worker has begun the command before, and may have done it.")
        return nothing_done(f"{why} {again}")
    if why:
        return nothing_done(why)
    return run(command, records, batch.actor, batch.reason, should_stop, spares_abandoned=True)


def _within_budget(should_stop: ShouldStop) -> ShouldStop:
    """Returns a `should_stop` that also ends a drive which takes as long as a request may: a worker continues it."""
    end = monotonic() + settings.REQUEST_BUDGET
    return lambda: should_stop() or monotonic() >= end
