"""What the processes of the shop set up; calls to the operating system do nothing except on Linux."""

import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
from contextlib import suppress
from stat import S_ISSOCK
from threading import get_native_id

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""

NICENESS = 19
"""Of a thread that yields: if all want a processor, it gets about a sixtieth of what another one gets."""

OPEN_FILES = "/proc/self/fd"


def collect_garbage_rarely() -> None:
    """Leaves everything that is imported out of garbage collections, and has them run less often.

    A request makes many objects and hardly any cycle, as does a batch of events. Call it when the process is ready to
    serve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def end_with_parent() -> None:
    """Has the kernel kill this process when its parent dies, so that no orphan keeps the port.

    Ends the process at once if the parent is already dead.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent and parent.pid != os.getppid():
            signal.raise_signal(signal.SIGKILL)


def yield_processors() -> None:
    """Has the kernel prefer others to this thread, and to those that it starts, as long as they want its processor."""
    if sys.platform == "linux":
        thread = get_native_id()
        with suppress(OSError):  # not permitted here
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


def drop_clients_that_do_not_read(seconds: float) -> None:
    """Has the kernel drop a connection whose client has not read the sent data for `seconds`.

    The time is set on the listening sockets of this process; accepted connections inherit it.
    """
    if sys.platform == "linux":
        for descriptor in map(int, os.listdir(OPEN_FILES)):
            with suppress(OSError):  # already closed
                if S_ISSOCK(os.fstat(descriptor).st_mode):
                    _drop_unread(descriptor, seconds)


def _drop_unread(descriptor: int, seconds: float) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
