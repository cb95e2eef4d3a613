"""What a process of the web server asks of the operating system. Linux has it; elsewhere nothing is done."""

import ctypes
import multiprocessing
import os
import signal
import socket
import sys

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
        for descriptor in os.listdir(OPEN_FILES):
            try:
                listener = socket.socket(fileno=os.dup(int(descriptor)))
            except OSError:  # no socket, or closed meanwhile
                continue
            with listener:
                if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
