"""Sessions of processes: a component is everything that its first process has started."""

import os
from contextlib import suppress
from pathlib import Path
from signal import Signals


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


def send(session: int, signal: Signals) -> None:
    """Sends a signal to every process of a session."""
    for pid in members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal)
