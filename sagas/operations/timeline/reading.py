"""Reads the timeline of an order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from cloudmart.database.clock import READ_AT
from orders.models import SagaStyle
from sagas.engine.lease import is_driven
from sagas.events import events_of
from sagas.models import Direction, Event, EventReceipt, SagaInstance, SagaStepLog
from sagas.operations.timeline.bars import Abandoned, Bar, BarStatus, InFlight, Open, Timeline
from sagas.operations.timeline.event_steps import Step, pending_call
from sagas.operations.timeline.from_events import bars_of_events, marks_of
from sagas.operations.timeline.from_log import Since, bars_of_log
from sagas.orchestration.events import events_in


def timeline_of_order(order_id: UUID) -> Timeline:
    """Returns the timeline of an order, or of a draft; an empty one if there is no such order."""
    saga = SagaInstance.objects.filter(order_id=order_id).annotate(**READ_AT).first()
    events = events_of(order_id)
    if saga is None:
        return timeline_of_draft(order_id, events)
    if saga.saga_type == SagaStyle.ORCHESTRATION:
        return timeline_of_log(saga, list(saga.log.all()), events)
    return timeline_of_events(saga, events, list(receipts_of(order_id)))


def receipts_of(order_id: UUID) -> QuerySet[EventReceipt]:
    return EventReceipt.objects.filter(event__aggregate_id=order_id)


def timeline_of_draft(order_id: UUID, events: list[Event]) -> Timeline:
    started = min((event.timestamp for event in events), default=timezone.now())
    marks = tuple(marks_of(events, _since(started), has_saga=False))
    return Timeline(order_id, "", started, max((mark.at for mark in marks), default=0.0), "", marks=marks)


def timeline_of_log(saga: SagaInstance, log: list[SagaStepLog], events: list[Event]) -> Timeline:
    """Returns the timeline of an orchestrated saga. What it has not logged is recorded as events."""
    direction = Direction.UNDO if saga.is_compensating else Direction.DO
    step = (saga.current_step, direction) if saga.current_step and not saga.is_finished else None
    started = _start(saga, [line.started for line in log], events)
    since = _since(started)
    bars = bars_of_log(log, since, _open(saga, step, since))
    return _timeline(saga, started, bars, [*events, *events_in(saga, log)], step)


def timeline_of_events(saga: SagaInstance, events: list[Event], receipts: list[EventReceipt]) -> Timeline:
    """Returns the timeline of a choreographed saga."""
    pending = None if saga.is_finished else pending_call(events, receipts)
    step = (pending.step, pending.direction) if pending else None
    started = _start(saga, [], events)
    since = _since(started)
    bars = bars_of_events(events, receipts, since, _open(saga, step, since), pending)
    return _timeline(saga, started, bars, events, step)


def _timeline(
    saga: SagaInstance, started: datetime, bars: Sequence[Bar], events: Iterable[Event], step: Step | None
) -> Timeline:
    since = _since(started)
    marks = tuple(marks_of(events, since, has_saga=True))
    ends = [*(bar.finished for bar in bars), *(mark.at for mark in marks)]
    now = [] if saga.is_finished else [since(saga.read_at)]
    abandoned_at = None if saga.is_finished else saga.abandoned_at
    return Timeline(
        order_id=saga.order_id,
        style=saga.saga_type,
        started=started,
        duration=max([0.0, *ends, *now]),
        status=saga.status,
        bars=tuple(replace(bar, is_return=saga.is_returned and bar.is_undo) for bar in bars),
        marks=marks,
        in_flight=_in_flight(saga, bars, step) if step and not abandoned_at else None,
        abandoned=Abandoned(since(abandoned_at), saga.attention or "") if abandoned_at else None,
        failure=saga.failure or {},
    )


def _start(saga: SagaInstance, times: Iterable[datetime], events: Iterable[Event]) -> datetime:
    return min([saga.created_at, *times, *(event.timestamp for event in events)])


def _since(start: datetime) -> Since:
    return lambda moment: (moment - start).total_seconds() * 1000


def _open(saga: SagaInstance, step: Step | None, since: Since) -> Open | None:
    if step is None:
        return None
    unfinished = BarStatus.RUNNING if is_driven(saga, saga.read_at) else BarStatus.WAITING
    return Open(*step, BarStatus.ABANDONED if saga.abandoned_at else unfinished, since(saga.read_at))


def _in_flight(saga: SagaInstance, bars: Sequence[Bar], step: Step) -> InFlight:
    """Returns the step that is called, or will be called again."""
    attempts = sum(len(bar.attempts) for bar in bars if (bar.step, bar.direction) == step)
    is_running = is_driven(saga, saga.read_at)
    deadline = None if saga.is_compensating else saga.deadline_at
    return InFlight(
        *step,
        attempt=max(1, attempts if is_running else attempts + 1),
        is_running=is_running,
        next_in=None if is_running else _seconds_until(saga.wake_at, saga.read_at),
        deadline_in=_seconds_until(deadline, saga.read_at) if deadline else None,
    )


def _seconds_until(moment: datetime | None, now: datetime) -> float:
    """Returns 0 if that is in the past, or due already."""
    return max(0.0, (moment - now).total_seconds()) if moment else 0.0
