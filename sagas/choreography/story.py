"""One order's facts so far, as a reaction sees them: under the order's lock, and with a pen to add to them."""

from typing import Any, Self
from uuid import UUID

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import Basket, OrderSnapshot
from sagas.choreography.signals import FAILURES, Fact
from sagas.engine.lease import PROGRESS, prolonged
from sagas.engine.resting import Rest, came_to_rest
from sagas.locks import lock_saga
from sagas.models import STORED_PAYLOAD, Event, SagaInstance, State, StepStatus


class Story:
    """What has happened to one order. Only open while the saga's row is locked."""

    def __init__(
        self, saga: SagaInstance, told: list[str], cause: Event | None = None, *, is_driven: bool = False
    ) -> None:
        self.saga = saga
        self.order = OrderSnapshot.from_json(saga.payload)
        self.cause = cause
        self.is_old_news = False
        """Whether this receiver has heard the cause before."""
        self._told, self._rested_before, self._is_driven = told, saga.is_finished, is_driven
        self._announced: list[Event] = []

    @classmethod
    def of(cls, order_id: UUID) -> Self:
        """Raises SagaNotFound."""
        saga = lock_saga(order_id)
        facts = Event.objects.filter(aggregate_id=order_id).order_by("seq")
        return cls(saga, list(facts.values_list("event_type", flat=True)))

    @classmethod
    def heard_by(cls, consumer: str, event: Event, fence: int | None = None) -> Self:
        """The story as `consumer` hears `event`, told by whoever has the lease with this fence. Raises LeaseLost."""
        saga = lock_saga(event.aggregate_id, fence)
        facts = Event.objects.filter(aggregate_id=event.aggregate_id).order_by("seq")
        rows = list(facts.values_list("pk", "event_type", "receipts__consumer"))
        told = list({pk: event_type for pk, event_type, _ in rows}.values())
        story = cls(saga, told, event, is_driven=fence is not None)
        story.is_old_news = (event.pk, event.event_type, consumer) in rows
        return story

    def tells(self, *facts: Fact) -> bool:
        """Whether all of these have happened."""
        return all(fact.event_type in self._told for fact in facts)

    def tells_any(self, *facts: Fact) -> bool:
        return any(self.tells(fact) for fact in facts)

    @property
    def is_failing(self) -> bool:
        return self.tells_any(*FAILURES)

    @property
    def outcome(self) -> StepStatus:
        """What has come of hearing the cause: a failure announced, something else announced, or nothing."""
        if not self._announced:
            return StepStatus.SKIPPED
        announced = {event.event_type for event in self._announced}
        return StepStatus.FAILED if announced & {fact.event_type for fact in FAILURES} else StepStatus.DONE

    @property
    def why_failing(self) -> str:
        """The sentence of the first failure; "" when nothing has failed."""
        return str((self.saga.failure or {}).get("detail", ""))

    @property
    def given_back(self) -> Basket:
        """The order's books, as whoever has it undone gives them back."""
        return self.order.with_actor(self.saga.undone_by(self.saga.failure))

    def announce(self, fact: Fact, error: DomainError | None = None, **payload: Any) -> None:
        """`fact` has happened: it is recorded when this transaction commits. A failure brings its error."""
        failure = error.as_json() if error else {}
        self._told.append(fact.event_type)
        self._announced.append(
            Event(
                event_type=fact.event_type,
                aggregate_id=self.order.order_id,
                seq=len(self._told),
                payload=STORED_PAYLOAD.written({**failure, **payload}),
                causation_id=self.cause.pk if self.cause else None,
                delivered_at=None if fact.has_listeners() else DatabaseNow(),
            )
        )
        if fact in FAILURES and self.saga.failure is None:
            self.saga.failure = failure
        if fact.reaches and (self.saga.status != State.COMPENSATION_STARTED or fact.reaches == State.FAILED):
            self.saga.status = fact.reaches
        self.saga.current_step = fact.event_type

    def open(self) -> None:
        """Record the saga, and what was announced to begin with."""
        self.saga.save(force_insert=True)
        Event.objects.bulk_create(self._announced)

    def write(self) -> None:
        """Record what was announced, and where the saga stands since; whoever tells it goes on with a fresh lease."""
        if not self._announced:
            return
        Event.objects.bulk_create(self._announced)
        saga = self.saga
        if saga.is_finished and not self._rested_before:
            came_to_rest.send(SagaInstance, rest=Rest(self.order, saga.status, saga.failure, saga.answers_key))
        SagaInstance.objects.filter(pk=saga.pk).update(
            status=saga.status,
            current_step=saga.current_step,
            failure=saga.failure,
            cancelled_by=saga.cancelled_by,
            **saga.payload_without_token(saga.status),
            updated_at=DatabaseNow(),
            finished_at=DatabaseNow() if saga.is_finished else None,
            **({**PROGRESS, **prolonged()} if self._is_driven else {}),
        )
