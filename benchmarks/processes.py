"""Processes and ports of this machine."""

import os
import platform
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"
"""The state of a socket in /proc/net/tcp."""


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


def process_listening_on(port: int) -> int:
    """Returns the process that accepts connections on this port of 127.0.0.1. Raises StopIteration if none does."""
    address = f"0100007F:{port:04X}"
    sockets = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inode = next(fields[9] for fields in sockets if fields[1] == address and fields[3] == LISTENING)
    return next(int(fd.parts[2]) for fd in Path("/proc").glob("[0-9]*/fd/*") if target_of(fd) == f"socket:[{inode}]")


def target_of(link: Path) -> str:
    """Returns where the link leads; "" if it is gone, or not ours to read."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


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
