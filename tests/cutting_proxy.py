"""A proxy before a MySQL or MariaDB server that loses the word of one COMMIT: on its way there, or its answer."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

from django.db import connection

COMMAND, QUERY = 4, b"\x03"
"""Where the command stands in a packet, and the one that carries a statement."""


class CuttingProxy:
    """Passes everything on; only of the `cut`-th COMMIT from when it is armed, the connection is lost."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left, self._before = 0, False
        self.has_cut = False
        self._host = Thread(target=self._accept)
        self._host.start()

    def arm(self, cut: int, *, before: bool) -> None:
        """Lose the connection at this COMMIT: before the server hears of it, or before it can answer."""
        self._left, self._before, self.has_cut = cut, before, False

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._host.join()
        self._listener.close()

    def _accept(self) -> None:
        talks = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                talks.append(Thread(target=self._talk, args=(client, server)))
                talks[-1].start()
        for talk in talks:
            talk.join()

    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            is_deaf = False
            while True:
                ready, _, _ = select([client, server], [], [])
                if client in ready:
                    packet = client.recv(1 << 20)
                    is_deaf = self._is_to_cut(packet)
                    if not packet or (is_deaf and self._before):
                        return
                    server.sendall(packet)
                if server in ready:
                    answer = server.recv(1 << 20)
                    if not answer or is_deaf:
                        return
                    client.sendall(answer)

    def _is_to_cut(self, packet: bytes) -> bool:
        if packet[COMMAND : COMMAND + 1] != QUERY or packet[COMMAND + 1 :].strip().upper() != b"COMMIT":
            return False
        self._left -= 1
        self.has_cut = self.has_cut or self._left == 0
        return self._left == 0


@contextmanager
def through(proxy: CuttingProxy) -> Iterator[None]:
    """This thread speaks with its database through the proxy."""
    straight = connection.settings_dict
    connection.close()
    connection.settings_dict = {**straight, "PORT": proxy.port}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = straight
