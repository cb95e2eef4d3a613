"""What the processes of the web server set up; calls to the operating system do nothing except on Linux."""

import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
from contextlib import suppress
from stat import S_ISSOCK

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""

OPEN_FILES = "/proc/self/fd"


def collect_garbage_rarely() -> None:
    """Leaves everything that is imported out of garbage collections, and has them run less often.

    A request makes many objects and hardly any cycle. Call it when the process is ready to serve.
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
