"""The figures of one style, computed from what was measured. Pure: no database, no clock."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean, median
from typing import Self

from benchmarks.report.calls import CHARGE, PARCEL, Call
from benchmarks.report.endings import Ending
from benchmarks.report.stories import CANCELLED, CARRIER_DOWN, COMPLETED, DECLINED_PAYMENT, PLAIN, STORIES
from benchmarks.report.users import Result
from benchmarks.window import percentile

EXAMPLES = 10
"""Errors, and orders that are not undone, that the report names."""
PHASES = (
    ("HTTP, sign-in, parsing", False),
    ("check, create order, reserve stock", False),
    ("charge", True),
    ("settle charge", False),
    ("arrange parcel", True),
    ("complete order, respond", False),
)
"""The parts of an undisturbed order, one after the other, and whether the time is a provider's."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds that this share of the responses did not exceed."""

    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Self:
        ascending = sorted(milliseconds)
        shares = (0.5, 0.9, 0.95, 0.99, 1.0)
        return cls(*(round(percentile(ascending, share), 1) if ascending else inf for share in shares))


@dataclass(frozen=True, slots=True)
class Errors:
    """Wrong responses, and orders that did not end as their response said."""

    number: int
    requests: int
    examples: list[str]

    @property
    def share(self) -> float:
        return self.number / self.requests if self.requests else 1.0


@dataclass(frozen=True, slots=True)
class Rollback:
    """The orders that failed after they were written."""

    failed: int
    undone: int
    """Those of which nothing is left: no copy, no money, no parcel, here and at the providers."""
    examples: list[str]
    """What is left of others."""

    @property
    def share(self) -> float:
        return self.undone / self.failed if self.failed else 0.0


@dataclass(frozen=True, slots=True)
class StoryFigures:
    name: str
    responses: dict[str, int]
    """How often each was given, cancellations included: the status, and the problem's code."""
    latency: Latency
    milliseconds: list[float]
    """Of each order."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an undisturbed order: the mean over all of them, so that the parts add up to the whole."""

    name: str
    is_provider: bool
    mean: float


@dataclass(frozen=True, slots=True)
class Compensation:
    """From when the failure is known, or the cancellation is sent, until the saga has undone every step."""

    story: str
    milliseconds: list[float]
    provider_mean: float
    """The mean of what the providers took of it."""


@dataclass(frozen=True, slots=True)
class StyleFigures:
    style: str
    seconds: float
    orders: int
    completed: int
    latency: Latency
    """Of all orders and cancellations."""
    errors: Errors
    rollback: Rollback
    stories: list[StoryFigures]
    phases: list[Phase]
    course: dict[str, float]
    """The median milliseconds after an undisturbed order was placed at which each step or event happened."""
    compensations: list[Compensation]

    @property
    def completed_per_minute(self) -> float:
        return self.completed / self.seconds * 60


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured of one style."""

    style: str
    seconds: float
    results: Sequence[Result]
    endings: Mapping[str, Ending]
    """By the order's id."""
    calls: Mapping[str, Sequence[Call]]
    """In the order of time, by the order's id."""


def figures(measured: Measured, course: Mapping[str, Sequence[float]]) -> StyleFigures:
    """Computes the figures. `course` has the moments of each step or event of the undisturbed orders."""
    requests = [request for result in measured.results for request in result.requests]
    wrong = list(errors(measured))
    return StyleFigures(
        style=measured.style,
        seconds=round(measured.seconds, 1),
        orders=len(measured.results),
        completed=sum(result.order.outcome == COMPLETED for result in measured.results),
        latency=Latency.of(request.milliseconds for request in requests),
        errors=Errors(len(wrong), len(requests), wrong[:EXAMPLES]),
        rollback=rollback(measured.endings.values()),
        stories=list(story_figures(measured.results)),
        phases=list(mean_phases(measured)),
        course={name: round(median(moments), 1) for name, moments in course.items()},
        compensations=list(compensations(measured)),
    )


def errors(measured: Measured) -> Iterator[str]:
    for result in measured.results:
        yield from result.unexpected
        yield from contradiction(result, measured.endings.get(result.order.order_id))
    for ending in measured.endings.values():
        if ending.is_completed and ending.broken:
            yield f"{ending.order_id}: it is not true that {'; '.join(ending.broken)}"
    named = {result.order.order_id for result in measured.results}
    for order_id in measured.endings.keys() - named:
        yield f"{order_id}: no response has named this order"


def contradiction(result: Result, ending: Ending | None) -> Iterator[str]:
    """Yields how the order's end differs from what the response said, if it does."""
    says_completed = result.order.outcome == COMPLETED and result.cancellation is None
    if ending is None and (says_completed or result.order.order_id):
        yield f"{result.story.name}: {result.order.status}, and there is no order {result.order.order_id}"
    elif ending is not None and ending.is_completed != says_completed:
        end = "completed" if ending.is_completed else "cancelled"
        yield f"{ending.order_id}: {result.story.name}, {result.order.status}, and it is {end}"


def rollback(endings: Iterable[Ending]) -> Rollback:
    failed = [ending for ending in endings if not ending.is_completed]
    left = [f"{each.order_id}: it is not true that {'; '.join(each.broken)}" for each in failed if each.broken]
    return Rollback(len(failed), len(failed) - len(left), left[:EXAMPLES])


def story_figures(results: Sequence[Result]) -> Iterator[StoryFigures]:
    for story in STORIES:
        of_story = [result for result in results if result.story == story]
        milliseconds = [round(result.order.milliseconds, 1) for result in of_story]
        responses = Counter(
            f"{request.status} {request.code}".strip() for result in of_story for request in result.requests
        )
        yield StoryFigures(story.name, dict(responses), Latency.of(milliseconds), milliseconds)


def undisturbed(measured: Measured) -> list[Result]:
    """Returns the orders of the story without failures whose providers took them at the first attempt."""
    return [
        result
        for result in measured.results
        if result.story == PLAIN
        and result.order.order_id in measured.endings
        and [call.operation for call in measured.calls.get(result.order.order_id, ())] == [CHARGE, PARCEL]
    ]


def mean_phases(measured: Measured) -> Iterator[Phase]:
    if not (rows := [phases_of(result, measured) for result in undisturbed(measured)]):
        return
    for (name, is_provider), taken in zip(PHASES, zip(*rows, strict=True), strict=True):
        yield Phase(name, is_provider, round(fmean(taken), 2))


def phases_of(result: Result, measured: Measured) -> list[float]:
    """Returns the milliseconds of each phase of an undisturbed order."""
    charge, parcel = measured.calls[result.order.order_id]
    placed = measured.endings[result.order.order_id].placed
    moments = [result.order.sent, placed, charge.started, charge.finished, parcel.started, parcel.finished]
    ends = [*moments[1:], result.order.responded]
    return [(end - begin) * 1000 for begin, end in zip(moments, ends, strict=True)]


def compensations(measured: Measured) -> Iterator[Compensation]:
    for story in (DECLINED_PAYMENT, CARRIER_DOWN, CANCELLED):
        undone = [(result, failed_at(result, measured)) for result in measured.results if result.story == story]
        known = [(measured.endings[result.order.order_id], since) for result, since in undone if since]
        milliseconds = [round((ending.finished - since) * 1000, 1) for ending, since in known]
        providers = [
            sum(call.milliseconds for call in measured.calls.get(ending.order_id, ()) if call.started >= since)
            for ending, since in known
        ]
        yield Compensation(story.name, milliseconds, round(fmean(providers), 2) if providers else 0.0)


def failed_at(result: Result, measured: Measured) -> float | None:
    """Returns when it was known that the order fails: the provider's last response, or the customer's request.

    None: the order did not take the course of its story.
    """
    ending = measured.endings.get(result.order.order_id)
    if ending is None or ending.is_completed:
        return None
    if result.story == CANCELLED:
        return result.cancellation.sent if result.cancellation else None
    failing = CHARGE if result.story == DECLINED_PAYMENT else PARCEL
    return max(
        (call.finished for call in measured.calls.get(ending.order_id, ()) if call.operation == failing), default=None
    )
