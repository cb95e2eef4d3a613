"""Tables of the sagas: the saga itself, its step log, its events and their receipts, and the operators' commands."""

from copy import copy
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField
from cloudmart.database.states import HasMoves
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import SAGA, OrderSnapshot
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_ERROR, LONGEST_REASON
from cloudmart.kernel.tracing import LONGEST_TRACEPARENT
from sagas.batches import Batch as Batch
from sagas.batches import BatchItem as BatchItem
from sagas.monitoring import AuditRun as AuditRun
from sagas.monitoring import OrderHour as OrderHour
from sagas.monitoring import WorkerHeartbeat as WorkerHeartbeat


class State(TranslatedChoices):
    STARTED = "STARTED"  #: The saga exists; no step is done.
    ORDER_CREATED = "ORDER_CREATED"  #: The order is stored.
    STOCK_RESERVED = "STOCK_RESERVED"  #: Every line is reserved.
    PAYMENT_COMPLETED = "PAYMENT_COMPLETED"  #: The payment is captured.
    SHIPPING_ARRANGED = "SHIPPING_ARRANGED"  #: The carrier has accepted the parcel.
    COMPLETED = "COMPLETED"  #: Finished: the order is sold.
    COMPENSATION_STARTED = "COMPENSATION_STARTED"  #: A step failed, or the order was cancelled or returned.
    FAILED = "FAILED"  #: Finished: every step is undone.


CANCELLED, RETURNED = "order_cancelled", "order_returned"
"""The error codes of an order that was cancelled, and of one that was returned."""

FORWARD = (
    State.STARTED,
    State.ORDER_CREATED,
    State.STOCK_RESERVED,
    State.PAYMENT_COMPLETED,
    State.SHIPPING_ARRANGED,
    State.COMPLETED,
)
FINISHED = {State.COMPLETED, State.FAILED}
UNFINISHED = [state for state in State if state not in FINISHED]
BEFORE_PAYMENT = {State.STARTED, State.ORDER_CREATED, State.STOCK_RESERVED}
"""The order may still be charged."""


class SagaInstance(HasMoves):
    """The saga of one order: in orchestration the cursor, in choreography the lock of the order's events."""

    MOVES = {
        **{
            state: {*FORWARD[n:], State.COMPENSATION_STARTED, State.FAILED} for n, state in enumerate(FORWARD, start=1)
        },
        State.COMPENSATION_STARTED: {State.FAILED},
    }

    read_at: datetime
    """The database's time at which the row was locked. Not stored."""

    outcome: Any = None
    """What `on_finished` has returned to the driver that finished the saga. Not stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    saga_type = CharField("style", max_length=16)
    order_id = models.UUIDField(unique=True)
    status = CharField(max_length=24, choices=State.choices, default=State.STARTED)
    current_step = CharField(
        max_length=64, blank=True, help_text="The step whose provider call is in flight, or the event published last"
    )
    payload = models.JSONField(help_text="The order snapshot; its payment token only until the charge is settled")
    failure = models.JSONField(null=True, blank=True, help_text="The first error: code, detail and details")
    idempotency_scope = CharField(
        max_length=64, blank=True, help_text="Scope of the idempotency key whose response is the saga's result"
    )
    cancel_reason = CharField(
        max_length=LONGEST_REASON,
        null=True,
        blank=True,
        help_text="Why a cancellation is requested; read by the next transaction of the saga",
    )
    cancelled_by = CharField(
        max_length=150,
        null=True,
        blank=True,
        help_text="Who requested the cancellation or the return; shown to operators only",
    )
    attempts = models.PositiveIntegerField(
        default=0,
        help_text="Failed runs at the step in flight: a run calls the provider up to PROVIDER_TRIES times",
    )
    wake_at = models.DateTimeField(null=True, blank=True, help_text="When a waiting saga is due again")
    deadline_at = models.DateTimeField(
        null=True, blank=True, help_text="A saga resumed after this time is compensated unless it is finished"
    )
    owner = CharField(max_length=64, blank=True, help_text="Who holds the lease")
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    attention = CharField(max_length=LONGEST_REASON, null=True, blank=True, help_text="Why an operator must look")
    attention_code = CharField(max_length=LONGEST_CODE, blank=True, help_text="The cause of the last attention")
    abandoned_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when no worker retries it, by an operator's command; attention says why",
    )
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    traceparent = CharField(
        max_length=LONGEST_TRACEPARENT,
        null=True,
        blank=True,
        help_text="The span of its first driver, whose trace later drivers continue; empty if traces are off",
    )

    class Meta:
        db_table = "saga_instances"
        permissions = [
            ("cancel_saga", "Can cancel an order"),
            ("retry_saga", "Can retry a waiting saga"),
            ("compensate_saga", "Can compensate a saga"),
            ("abandon_saga", "Can abandon a saga"),
            ("resume_saga", "Can resume an abandoned saga"),
            ("return_order", "Can return a delivered order"),
        ]
        indexes = [models.Index(fields=["status", "wake_at"], name="sagas_due")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(abandoned_at=None) | models.Q(attention__isnull=False),
                name="abandoned_with_a_reason",
            )
        ]

    def __str__(self) -> str:
        return gettext("%(style)s of %(order)s: %(state)s") % {
            "style": gettext(self.saga_type),
            "order": shown(self.order_id),
            "state": self.status,
        }

    def __copy__(self) -> Self:
        """Copies the attributes only. Django's own copies are made as if by pickling, which takes longer."""
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self), _state=copy(self._state))
        return twin

    @cached_property
    def order(self) -> OrderSnapshot:
        """The order as it was placed. Its payment token is that of when it was read first."""
        return OrderSnapshot.from_json(self.payload)

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def is_compensating(self) -> bool:
        """Returns True from the first failure on, also once every step is undone."""
        return self.status in {State.COMPENSATION_STARTED, State.FAILED}

    @property
    def is_returned(self) -> bool:
        """Returns True from the return of the order on, also once every step is undone."""
        return self.is_compensating and (self.failure or {}).get("code") == RETURNED

    def compensation_actor(self, failure: dict[str, Any] | None) -> str:
        """Returns who undoes an order with this failure: who cancelled or returned it, or else the saga itself."""
        is_requested = failure is not None and failure["code"] in {CANCELLED, RETURNED}
        return self.cancelled_by or SAGA if is_requested else SAGA

    def payload_without_token(self, state: str) -> dict[str, Any]:
        """Returns the column change that removes the payment token in this state; none while it may be charged."""
        if state in BEFORE_PAYMENT or not self.payload.get("payment_token"):
            return {}
        return {"payload": {**self.payload, "payment_token": ""}}


class OperatorCommand(TranslatedChoices):
    """What an operator may do to a saga."""

    CANCEL = "cancel"  #: Undo everything, also a completed order.
    RETRY = "retry"  #: Resume a waiting saga now.
    COMPENSATE = "compensate"  #: Undo everything now.
    ABANDON = "abandon"  #: Stop the retries until the saga is resumed.
    RESUME = "resume"  #: Resume an abandoned saga.
    RETURN = "return"  #: Undo a delivered order whose books have come back.


class SagaAction(models.Model):
    """A command on a saga: stored before it runs, its outcome afterwards."""

    saga = models.ForeignKey(SagaInstance, on_delete=models.CASCADE, related_name="actions")
    command = CharField(max_length=10, choices=OperatorCommand.choices)
    actor = CharField(max_length=150)
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    outcome = CharField(
        max_length=LONGEST_CODE, blank=True, help_text="The saga's state afterwards, or the code of the error"
    )

    class Meta:
        db_table = "saga_actions"
        ordering = ["saga", "id"]

    def __str__(self) -> str:
        return f"{self.actor}: {gettext(self.command)}"


class Direction(TranslatedChoices):
    DO = "do"
    UNDO = "undo"


class StepStatus(TranslatedChoices):
    STARTED = "started"  #: The intent is stored; the provider is about to be called.
    DONE = "done"
    FAILED = "failed"  #: This attempt failed. If it is the last one, the step failed.
    SKIPPED = "skipped"  #: There was nothing to do.


class SagaStepLog(models.Model):
    """One line of an orchestrated saga's log. Lines are only added."""

    saga = models.ForeignKey(SagaInstance, on_delete=models.CASCADE, related_name="log", db_index=False)
    seq = models.PositiveIntegerField()
    step = CharField(max_length=64)
    direction = CharField(max_length=4, choices=Direction.choices)
    attempt = models.PositiveSmallIntegerField(default=1)
    status = CharField(max_length=8, choices=StepStatus.choices)
    state = CharField(max_length=24, blank=True, help_text="The state that the saga reaches with this line")
    error = CharField(max_length=LONGEST_ERROR, blank=True)
    detail = models.JSONField(
        default=dict,
        blank=True,
        help_text="The command, and what is worth knowing of it: amounts, references, a refusal",
    )
    started = models.DateTimeField()
    finished = models.DateTimeField(null=True)

    class Meta:
        db_table = "saga_step_logs"
        constraints = [models.UniqueConstraint(fields=["saga", "seq"], name="one_line_per_seq")]
        ordering = ["saga", "seq"]

    def __str__(self) -> str:
        return f"{self.seq} {gettext(self.direction)} {self.step}: {gettext(self.status)}"


class Event(models.Model):
    """An event of one order, recorded in the transaction of the change that caused it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event_type = CharField(max_length=64)
    aggregate_id = models.UUIDField(help_text="The order")
    seq = models.PositiveIntegerField(help_text="1 for the order's first event, without a gap")
    payload = models.JSONField(default=dict)
    timestamp = models.DateTimeField(default=DatabaseNow, editable=False)
    causation_id = models.UUIDField(null=True, help_text="The event whose reaction published this one")
    delivered_at = models.DateTimeField(null=True, help_text="When every reaction had processed it")

    class Meta:
        db_table = "events"
        constraints = [models.UniqueConstraint(fields=["aggregate_id", "seq"], name="one_event_per_seq")]
        indexes = [models.Index(fields=["delivered_at"], name="events_undelivered")]

    def __str__(self) -> str:
        return f"{shown(self.aggregate_id)} #{self.seq} {self.event_type}"


class EventReceipt(models.Model):
    """Proof that a reaction has processed an event; written in the transaction of the reaction."""

    consumer = CharField(max_length=96)
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="receipts", db_constraint=False, db_index=False
    )
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "event_receipts"
        constraints = [models.UniqueConstraint(fields=["event", "consumer"], name="one_receipt_per_consumer")]

    def __str__(self) -> str:
        return gettext("%(consumer)s processed %(event)s") % {"consumer": self.consumer, "event": self.event_id}
