"""Sessions of processes: a component is everything that its first process has started."""

import os
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, Signals
from time import monotonic, sleep

KILL_TIME = 10
"""Seconds until a process that waits for a disk is left alone."""


def members(session: int) -> list[int]:
    """Returns the processes of a session, without those that have ended."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if session_of(pid) == session]


def session_of(pid: int) -> int | None:
    """Returns the session of a process; None if it has ended."""
    try:
        state, _, _, session, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(session)


def kill(session: int) -> None:
    """Kills every process of a session, and those that it starts meanwhile."""
    deadline = monotonic() + KILL_TIME
    while members(session) and monotonic() < deadline:
        send(session, SIGKILL)
        sleep(0.01)


def send(session: int, signal: Signals) -> None:
    """Sends a signal to every process of a session."""
    for pid in members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal)
