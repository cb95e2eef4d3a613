"""Traces, as the code that is traced sees them. Until a tracer is installed nothing is recorded.

A trace consists of spans. A span that is active in this thread is the parent of those that begin within it. The
context of a span is a text, its traceparent (W3C Trace Context), so that another process can continue the trace.
Attributes hold no text that a customer, a provider or the database has written: only ids, codes, names and numbers.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from types import MappingProxyType, TracebackType
from typing import Protocol

LONGEST_TRACEPARENT = 55

Attributes = Mapping[str, str | int | bool]

NOTHING: Attributes = MappingProxyType({})


class Kind(StrEnum):
    """On which side of a call a span is."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span(Protocol):
    """A span that has begun."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, error_type: str) -> None:
        """Marks the span as failed. `error_type` is the name of an exception or a code: one of few."""
        ...

    def discard(self) -> None:
        """Has the span be dropped when its block ends."""
        ...


class Tracer(Protocol):
    """Records spans. The functions of this module call the methods of the same name."""

    def trace(
        self, name: str, kind: Kind, attributes: Attributes, traceparent: str | None
    ) -> AbstractContextManager[Span]: ...

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]: ...

    def current_traceparent(self) -> str | None: ...

    def close(self) -> None: ...


class NoSpan:
    """The span of code that is not traced."""

    def __enter__(self) -> "NoSpan":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def set(self, attributes: Attributes) -> None:
        pass

    def fail(self, error_type: str) -> None:
        pass

    def discard(self) -> None:
        pass


NO_SPAN = NoSpan()

_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Has `tracer` record the spans of this process; None: nothing is recorded."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    return _tracer is not None


def trace(
    name: str, attributes: Attributes = NOTHING, *, kind: Kind = Kind.INTERNAL, traceparent: str | None = None
) -> AbstractContextManager[Span]:
    """Returns a span that continues the trace of `traceparent`, or begins one.

    Within an active span it is a part of that one's trace instead, with a link to the trace of `traceparent`: a span
    has one parent, which is what has caused it now.
    """
    return _tracer.trace(name, kind, attributes, traceparent) if _tracer else NO_SPAN


def span(name: str, attributes: Attributes = NOTHING, *, kind: Kind = Kind.INTERNAL) -> AbstractContextManager[Span]:
    """Returns a span within the active one. Without an active one nothing is recorded."""
    return _tracer.span(name, kind, attributes) if _tracer else NO_SPAN


def current_traceparent() -> str | None:
    """Returns the traceparent of the active span; None without one."""
    return _tracer.current_traceparent() if _tracer else None


def close() -> None:
    """Sends the spans that have ended, and drops later ones: for a process that ends. Takes a few seconds at most."""
    if _tracer:
        _tracer.close()
