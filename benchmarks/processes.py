"""Processes and ports of this machine."""

import os
import platform
import signal
import socket
from collections.abc import Iterator
from pathlib import Path


def machine(database: str) -> str:
    """Returns what the figures were measured on, with this database."""
    return f"{len(os.sched_getaffinity(0))} cores, {database}, Python {platform.python_version()}"


def free_port() -> int:
    """Returns a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """Returns the processes that `pid` has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendants_of(pid: int) -> Iterator[int]:
    """Returns the processes that `pid` has started, those that they have started, and so on."""
    for child in children_of(pid):
        yield child
        yield from descendants_of(child)


def resident_memory(pid: int) -> float:
    """Returns the resident memory of the process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor_seconds(pid: int) -> float:
    """Returns the processor time that the process has used, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
