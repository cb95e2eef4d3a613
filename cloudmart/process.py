"""What a process of the web server asks of the operating system. Linux has it; elsewhere nothing is done."""

import ctypes
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


def end_with_parent() -> None:
    """Has the kernel kill this process when its parent dies, so that no orphan keeps the port.

    A process whose parent died before it could ask for that ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent and parent.pid != os.getppid():
            signal.raise_signal(signal.SIGKILL)


def drop_clients_that_do_not_read(seconds: float) -> None:
    """Has the kernel drop a connection when the other side has not taken what was sent to it for so long.

    The time is set on the sockets that this process listens on; the connections that they accept inherit it.
    """
    if sys.platform == "linux":
        for descriptor in map(int, os.listdir(OPEN_FILES)):
            with suppress(OSError):  # it is closed by now
                if S_ISSOCK(os.fstat(descriptor).st_mode):
                    _drop_unread(descriptor, seconds)


def _drop_unread(descriptor: int, seconds: float) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
