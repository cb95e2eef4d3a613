"""What a saga leaves behind: its cursor, its step log, the facts that were announced, and who has heard them."""

from typing import Any

from django.db import models

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField, DatabaseTimeField
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import SAGA
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_ERROR, LONGEST_REASON
from cloudmart.kernel.versioned_json import VersionedJson


class State(models.TextChoices):
    STARTED = "STARTED"  #: The saga exists; nothing is done yet.
    ORDER_CREATED = "ORDER_CREATED"  #: The order is written down.
    STOCK_RESERVED = "STOCK_RESERVED"  #: Every line is held.
    PAYMENT_COMPLETED = "PAYMENT_COMPLETED"  #: The money is ours.
    SHIPPING_ARRANGED = "SHIPPING_ARRANGED"  #: The carrier will fetch the parcel.
    COMPLETED = "COMPLETED"  #: Sold. The saga rests.
    COMPENSATION_STARTED = "COMPENSATION_STARTED"  #: Something failed, or a cancellation was wished: on the way back.
    FAILED = "FAILED"  #: Everything is undone. The saga rests.


CANCELLED = "order_cancelled"
"""The code of the failure of an order that somebody has cancelled."""

FINISHED = {State.COMPLETED, State.FAILED}
UNFINISHED = [state for state in State if state not in FINISHED]
BEFORE_PAYMENT = {State.STARTED, State.ORDER_CREATED, State.STOCK_RESERVED}
"""The order may still have to be charged."""


class SagaInstance(models.Model):
    """One order's saga. In orchestration the cursor of the state machine; in choreography the order's guard."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    saga_type = CharField("style", max_length=16)
    order_id = models.UUIDField(unique=True)
    status = CharField(max_length=24, choices=State.choices, default=State.STARTED)
    current_step = CharField(
        max_length=64, blank=True, help_text="The step whose provider call is in flight, or the fact announced last"
    )
    payload = models.JSONField(help_text="The order's facts; its payment token only until the charge is settled")
    failure = models.JSONField(null=True, blank=True, help_text="The first error: code, detail and facts")
    answers_key = CharField(
        max_length=64, blank=True, help_text="Scope of the idempotency key whose answer is how this saga ends"
    )
    cancel_reason = CharField(
        max_length=LONGEST_REASON,
        null=True,
        blank=True,
        help_text="Why a cancellation is wished; read at the next boundary",
    )
    cancelled_by = CharField(
        max_length=150, null=True, blank=True, help_text="Who has requested the cancellation; shown to operators only"
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Fruitless visits to the step in flight")
    wake_at = models.DateTimeField(null=True, blank=True, help_text="When a waiting saga is due again")
    deadline_at = models.DateTimeField(
        null=True, blank=True, help_text="When it turns back, if it still goes forward when it is next driven"
    )
    owner = CharField(max_length=64, blank=True, help_text="Who may drive the saga now")
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    attention = CharField(max_length=LONGEST_REASON, null=True, blank=True, help_text="Why a person must look")
    given_up_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when no worker tries it again, by an operator's word; attention says why",
    )
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)
    updated_at = DatabaseTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "saga_instances"
        permissions = [
            ("cancel_saga", "Can cancel an order"),
            ("retry_saga", "Can retry a waiting saga"),
            ("compensate_saga", "Can compensate a saga"),
            ("abandon_saga", "Can abandon a saga"),
            ("resume_saga", "Can resume an abandoned saga"),
        ]
        indexes = [
            models.Index(fields=["status", "wake_at"], name="sagas_due"),
            models.Index(fields=["status", "lease_until"], name="sagas_leased"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(given_up_at=None) | models.Q(attention__isnull=False), name="given_up_with_a_reason"
            )
        ]

    def __str__(self) -> str:
        return f"{self.saga_type} of {self.order_id}: {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    def undone_by(self, failure: dict[str, Any] | None) -> str:
        """Who has the order undone that fails with this: whoever has cancelled it, or else the saga itself."""
        is_cancelled = failure is not None and failure["code"] == CANCELLED
        return self.cancelled_by or SAGA if is_cancelled else SAGA

    @property
    def is_compensating(self) -> bool:
        return self.status in {State.COMPENSATION_STARTED, State.FAILED}

    def payload_without_token(self, state: str) -> dict[str, Any]:
        """Returns the change that removes the payment token in this state; none while the charge may lie ahead."""
        if state in BEFORE_PAYMENT or not self.payload.get("payment_token"):
            return {}
        return {"payload": {**self.payload, "payment_token": ""}}


class Verb(models.TextChoices):
    """What a person may have a saga do."""

    CANCEL = "cancel"  #: Undo everything, whatever it has come to.
    RETRY = "retry"  #: Go on now, without waiting any longer.
    COMPENSATE = "compensate"  #: Turn back now.
    GIVE_UP = "give_up", "Abandon"  #: Stay as it is, until somebody has it go on.
    RESUME = "resume"  #: Go on after all, having been abandoned.


class SagaAction(models.Model):
    """What somebody has had a saga do: written down before it is done, with its outcome afterwards."""

    saga = models.ForeignKey(SagaInstance, on_delete=models.CASCADE, related_name="actions")
    verb = CharField(max_length=10, choices=Verb.choices)
    actor = CharField(max_length=150)
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    outcome = CharField(
        max_length=LONGEST_CODE,
        blank=True,
        help_text="The saga's state afterwards, or the code of its refusal",
    )

    class Meta:
        db_table = "saga_actions"
        ordering = ["saga", "id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.verb}"


class Direction(models.TextChoices):
    DO = "do"
    UNDO = "undo"


class StepStatus(models.TextChoices):
    STARTED = "started"  #: The intent is written; the provider is about to be asked.
    DONE = "done"
    FAILED = "failed"  #: This try failed; with no later one, the step did.
    SKIPPED = "skipped"  #: There was nothing to do.


class SagaStepLog(models.Model):
    """One line of an orchestrated saga's log. Lines are only ever added."""

    saga = models.ForeignKey(SagaInstance, on_delete=models.CASCADE, related_name="log")
    seq = models.PositiveIntegerField()
    step = CharField(max_length=64)
    direction = CharField(max_length=4, choices=Direction.choices)
    attempt = models.PositiveSmallIntegerField(default=1)
    status = CharField(max_length=8, choices=StepStatus.choices)
    state = CharField(max_length=24, blank=True, help_text="The saga's state from this line on, if it changes")
    detail = models.JSONField(default=dict, blank=True)
    error = CharField(max_length=LONGEST_ERROR, blank=True)
    started = models.DateTimeField()
    finished = models.DateTimeField(null=True)

    class Meta:
        db_table = "saga_step_logs"
        constraints = [models.UniqueConstraint(fields=["saga", "seq"], name="one_line_per_seq")]
        ordering = ["saga", "seq"]

    def __str__(self) -> str:
        return f"{self.seq} {self.direction} {self.step}: {self.status}"


def _as_it_was(payload: dict[str, Any]) -> dict[str, Any]:
    """Versions were only written from now on; nothing else is different."""
    return payload


STORED_PAYLOAD = VersionedJson((_as_it_was,))


class Event(models.Model):
    """A fact about one order, recorded with the change that it tells of."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event_type = CharField(max_length=64)
    aggregate_id = models.UUIDField(help_text="The order")
    seq = models.PositiveIntegerField(help_text="1 for the first fact of the order, without a gap")
    payload = models.JSONField(default=dict)
    timestamp = models.DateTimeField(default=DatabaseNow, editable=False)
    causation_id = models.UUIDField(null=True, help_text="The fact that this one is a reaction to")
    delivered_at = models.DateTimeField(null=True, help_text="When every receiver had heard it")

    class Meta:
        db_table = "events"
        constraints = [models.UniqueConstraint(fields=["aggregate_id", "seq"], name="one_fact_per_seq")]
        indexes = [models.Index(fields=["delivered_at", "timestamp"], name="facts_undelivered")]

    def __str__(self) -> str:
        return f"{self.aggregate_id} #{self.seq} {self.event_type}"

    @property
    def details(self) -> dict[str, Any]:
        """What the fact says, in the words of today."""
        return STORED_PAYLOAD.read(self.payload)


class EventReceipt(models.Model):
    """A receiver has heard a fact, and what it did then is in the same transaction."""

    consumer = CharField(max_length=96)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="receipts", db_constraint=False)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "event_receipts"
        constraints = [models.UniqueConstraint(fields=["consumer", "event"], name="heard_once")]

    def __str__(self) -> str:
        return f"{self.consumer} heard {self.event_id}"
