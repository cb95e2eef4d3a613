"""The bars of a choreographed saga, from its events and their receipts; the marks of either style. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sagas.events import EventType
from sagas.models import Event, EventReceipt
from sagas.operations.timeline.bars import Attempt, Bar, BarStatus, Mark, Open
from sagas.operations.timeline.event_steps import (
    CALLED_OR_SKIPPED,
    REFUSALS,
    Pending,
    Step,
    participant_of,
    step_of,
)
from sagas.operations.timeline.from_log import Since, interrupted, reference_in

MARKS = {
    EventType.ITEM_ADDED,
    EventType.ITEM_REMOVED,
    EventType.ORDER_CONFIRMED,
    EventType.ORDER_SHIPPED,
    EventType.ORDER_DELIVERED,
    EventType.ORDER_CANCEL_REQUESTED,
    EventType.ORDER_RETURN_REQUESTED,
    EventType.ORDER_TIMED_OUT,
}


def bars_of_events(
    events: list[Event],
    receipts: Iterable[EventReceipt],
    since: Since,
    open_step: Open | None,
    pending: Pending | None,
) -> list[Bar]:
    """Returns a bar for each step that was done, and for each that was undone, in the order of the events."""
    by_id = {event.pk: event for event in events}
    received = {(receipt.event_id, receipt.consumer): receipt.received_at for receipt in receipts}
    groups: dict[Step, list[Event]] = {}
    for event in events:
        if step := step_of(event, by_id):
            groups.setdefault(step, []).append(event)
    if pending:
        groups.setdefault((pending.step, pending.direction), [])
    return [_Group(step, group, by_id, received, since, open_step, pending).bar() for step, group in groups.items()]


def marks_of(events: Iterable[Event], since: Since, *, has_saga: bool) -> list[Mark]:
    """Returns what has happened to the order besides the steps of its saga."""
    types = MARKS if has_saga else {*MARKS, EventType.ORDER_CANCELLED}
    return [
        Mark(event.event_type, max(0.0, since(event.timestamp)), _text_of(event.payload))
        for event in events
        if event.event_type in types
    ]


def _text_of(payload: Mapping[str, Any]) -> str:
    words = ("book_id", "quantity") if "quantity" in payload and "lines" not in payload else ()
    parts = [payload.get(name) for name in (*words, "reason", "tracking_number", "actor")]
    return ", ".join(str(part) for part in parts if part)


@dataclass(frozen=True, slots=True)
class _Group:
    """The events of one step."""

    step: Step
    events: list[Event]
    by_id: Mapping[UUID, Event]
    received: Mapping[tuple[UUID, str], datetime]
    since: Since
    open_step: Open | None
    pending: Pending | None

    def bar(self) -> Bar:
        name, direction = self.step
        status = self._status()
        reaction = self._reaction()
        return Bar(
            step=name,
            direction=direction,
            status=status,
            attempts=self._attempts(status),
            error=self._error,
            reference=reference_in(self._outcome.payload) if self._outcome else "",
            reaction=reaction,
            cause=self._cause.event_type if self._cause else "",
            events=tuple(str(event.event_type) for event in self._results),
            processed_at=self._processed_at(reaction),
        )

    @property
    def _failures(self) -> list[Event]:
        return [event for event in self.events if event.event_type == EventType.ATTEMPT_FAILED]

    @property
    def _results(self) -> list[Event]:
        return [event for event in self.events if event.event_type != EventType.ATTEMPT_FAILED]

    @property
    def _outcome(self) -> Event | None:
        return next(iter(self._results), None)

    @property
    def _is_refused(self) -> bool:
        return any(event.event_type in REFUSALS for event in self._results)

    @property
    def _error(self) -> str:
        """Returns why the step was refused; "" if it was not."""
        return str(self._outcome.payload.get("detail", "")) if self._outcome and self._is_refused else ""

    @property
    def _is_pending(self) -> bool:
        return self.pending is not None and self.step == (self.pending.step, self.pending.direction)

    @property
    def _cause(self) -> Event | None:
        """The event to which the step is a reaction."""
        if self._is_pending and self.pending:
            return self.pending.event
        causes = [self.by_id.get(event.causation_id) for event in self.events if event.causation_id]
        return next(filter(None, causes), None)

    def _status(self) -> BarStatus:
        if self._outcome is None:
            return self.open_step.status_of(*self.step) if self.open_step else BarStatus.STOPPED
        if self._is_refused:
            return BarStatus.FAILED
        called = "attempts" in self._outcome.payload
        return BarStatus.DONE if called or self._outcome.event_type not in CALLED_OR_SKIPPED else BarStatus.SKIPPED

    def _reaction(self) -> str:
        """Returns the reaction of the participant that has published the outcome."""
        if self._is_pending and self.pending:
            return self.pending.reaction
        cause, outcome = self._cause, self._outcome
        if cause is None or outcome is None:
            return ""
        consumers = [consumer for event_id, consumer in self.received if event_id == cause.pk]
        return next((consumer for consumer in consumers if consumer.startswith(participant_of(outcome))), "")

    def _processed_at(self, reaction: str) -> float | None:
        moment = self.received.get((self._cause.pk, reaction)) if self._cause else None
        return self.since(moment) if moment else None

    def _attempts(self, status: BarStatus) -> tuple[Attempt, ...]:
        """Returns the failed attempts, and the last one: it is the one with the outcome, or is running.

        An event says when an attempt ended, and since it is recorded, when it began. An earlier one began when the
        attempt before it ended; if a driver has resumed the saga in between, no one knows when.
        """
        attempts: list[Attempt] = []
        begun = self._begun()
        for failure in self._failures:
            failed_at = self.since(datetime.fromisoformat(failure.payload["failed_at"]))
            is_first_of_call = failure.payload.get("attempt") == 1 and attempts
            begun = self._began(failure, failed_at if is_first_of_call else begun, failed_at)
            attempts.append(self._attempt(attempts, begun, failed_at, failure.payload["error"]))
            begun = attempts[-1].finished
        if (last := self._last_attempt(attempts, begun, status)) is not None:
            attempts.append(last)
        return tuple(attempts)

    def _begun(self) -> float | None:
        """Returns when the first attempt began at the earliest: one driver delivers one event after another."""
        first = self.events[0].seq if self.events else None
        before = [event for event in self.by_id.values() if first is None or event.seq < first]
        return max((self.since(event.timestamp) for event in before), default=None)

    def _last_attempt(self, attempts: list[Attempt], begun: float | None, status: BarStatus) -> Attempt | None:
        outcome = self._outcome
        if outcome is None:
            if status == BarStatus.RUNNING and self.open_step:
                now = self.open_step.now
                return self._attempt(attempts, now if attempts else begun or 0.0, now, "")
            return None if attempts else self._attempt(attempts, begun or 0.0, begun or 0.0, interrupted())
        in_its_call = [failure for failure in self._failures if failure.causation_id == outcome.causation_id]
        if attempts and in_its_call and outcome.payload.get("attempts") == len(in_its_call):
            return None
        ended = max(self.since(event.timestamp) for event in self._results)
        is_resumed = attempts and not in_its_call
        began = self._began(outcome, self.since(outcome.timestamp) if is_resumed else begun, ended)
        return self._attempt(attempts, began, ended, self._error)

    def _began(self, event: Event, otherwise: float | None, ended: float) -> float:
        recorded = event.payload.get("started_at")
        if recorded:
            return self.since(datetime.fromisoformat(recorded))
        return ended if otherwise is None else otherwise

    @staticmethod
    def _attempt(before: list[Attempt], started: float, finished: float, error: str) -> Attempt:
        started = max(started, before[-1].finished if before else 0.0)
        return Attempt(len(before) + 1, started, max(started, finished), error)
