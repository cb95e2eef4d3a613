"""A proxy that loses one request, or its response: before a database server a COMMIT, or whatever it is told."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

from django.db import connection

COMMAND, QUERY = 4, b"\x03"
"""The position of the command in a packet, and the command that carries a statement."""


def is_commit(packet: bytes) -> bool:
    """Returns True for a COMMIT to a MySQL or MariaDB server."""
    return packet[COMMAND : COMMAND + 1] == QUERY and packet.endswith(b"COMMIT")


class CuttingProxy:
    """Forwards everything, but drops the connection at the `cut`-th request, by default a COMMIT, after `arm`."""

    def __init__(self, port: int, is_cut: Callable[[bytes], bool] = is_commit) -> None:
        self._target = port
        self._is_cut = is_cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left, self._before = 0, False
        self.has_cut = False
        self._host = Thread(target=self._accept)
        self._host.start()

    def arm(self, cut: int, *, before: bool) -> None:
        """Drops the connection at this request: before the server gets it, or before the client gets the response."""
        self._left, self._before, self.has_cut = cut, before, False

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._host.join()
        self._listener.close()

    def _accept(self) -> None:
        threads = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threads.append(Thread(target=self._forward, args=(client, server)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            drops_response = False
            while True:
                ready, _, _ = select([client, server], [], [])
                if client in ready:
                    packet = client.recv(1 << 20)
                    drops_response = self._must_cut(packet) or drops_response
                    if not packet or (drops_response and self._before):
                        return
                    server.sendall(packet)
                if server in ready:
                    response = server.recv(1 << 20)
                    if not response or drops_response:
                        return
                    client.sendall(response)

    def _must_cut(self, packet: bytes) -> bool:
        if not self._is_cut(packet):
            return False
        self._left -= 1
        self.has_cut = self.has_cut or self._left == 0
        return self._left == 0


@contextmanager
def connected_through(proxy: CuttingProxy) -> Iterator[None]:
    """Connects this thread to its database through the proxy within the block."""
    direct = connection.settings_dict
    connection.close()
    connection.settings_dict = {**direct, "PORT": proxy.port}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = direct
