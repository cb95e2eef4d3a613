"""How an order stands: in progress, failed, cancelled and so on. The same in both styles, and for drafts. Pure."""

from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from orders.models import Status
from sagas.engine.lease import is_driven
from sagas.models import CANCELLED, RETURNED, SagaInstance, State

TIMED_OUT = "saga_timed_out"


class Standing(TextChoices):
    DRAFT = "draft", _("Draft")
    RUNNING = "running", _("In progress")
    UNDOING = "undoing", _("Being undone")
    WAITING = "waiting", _("Waiting")  #: Nobody drives its saga until the next attempt.
    ATTENTION = "attention", _("Needs attention")  #: It waits, and an operator must look.
    ABANDONED = "abandoned", _("Abandoned")  #: No worker retries it.
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    TIMED_OUT = "timed_out", _("Timed out")
    CANCELLED = "cancelled", _("Cancelled")  #: By the customer or the shop.
    RETURNED = "returned", _("Returned")

    @property
    def is_moving(self) -> bool:
        """Returns True while the order may change without a command."""
        return self in MOVING

    @property
    def is_undone(self) -> bool:
        """Returns True once nothing is charged, sold or sent for the order any more."""
        return self in UNDONE

    @property
    def tone(self) -> str:
        """The tone of its badge: good, bad, busy, wait or mute."""
        return TONES[self]


MOVING = {Standing.RUNNING, Standing.UNDOING, Standing.WAITING, Standing.ATTENTION}
UNDONE = {Standing.FAILED, Standing.TIMED_OUT, Standing.CANCELLED, Standing.RETURNED}
TONES = {
    **dict.fromkeys(Standing, "busy"),
    **dict.fromkeys((Standing.ATTENTION, Standing.FAILED, Standing.TIMED_OUT), "bad"),
    **dict.fromkeys((Standing.WAITING, Standing.ABANDONED), "wait"),
    **dict.fromkeys((Standing.DRAFT, Standing.CANCELLED, Standing.RETURNED), "mute"),
    Standing.COMPLETED: "good",
}

WITHOUT_A_SAGA = {Status.DRAFT: Standing.DRAFT, Status.CANCELLED: Standing.CANCELLED}
ENDED_BY = {CANCELLED: Standing.CANCELLED, RETURNED: Standing.RETURNED, TIMED_OUT: Standing.TIMED_OUT}
"""How a failed saga ended, by the code of its failure. Any other code is a failure."""


def standing_of(order_status: str, saga: SagaInstance | None, now: datetime) -> Standing:
    """Returns how an order of this status, with this saga, stands at this time."""
    if saga is None:
        return WITHOUT_A_SAGA.get(Status(order_status), Standing.RUNNING)
    if saga.status == State.COMPLETED:
        return Standing.COMPLETED
    if saga.status == State.FAILED:
        return ENDED_BY.get((saga.failure or {}).get("code", ""), Standing.FAILED)
    return _standing_of_unfinished(saga, now)


def _standing_of_unfinished(saga: SagaInstance, now: datetime) -> Standing:
    if saga.abandoned_at:
        return Standing.ABANDONED
    if saga.attention:
        return Standing.ATTENTION
    if not is_driven(saga, now):
        return Standing.WAITING
    return Standing.UNDOING if saga.is_compensating else Standing.RUNNING
