"""A proxy before a MySQL or MariaDB server that loses one COMMIT: the statement or its response."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

from django.db import connection

COMMAND, QUERY = 4, b"\x03"
"""The position of the command in a packet, and the command that carries a statement."""


class CuttingProxy:
    """Forwards everything, but drops the connection at the `cut`-th COMMIT after `arm`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left, self._before = 0, False
        self.has_cut = False
        self._host = Thread(target=self._accept)
        self._host.start()

    def arm(self, cut: int, *, before: bool) -> None:
        """Drops the connection at this COMMIT: before the server gets it, or before the client gets the response."""
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
                    drops_response = self._must_cut(packet)
                    if not packet or (drops_response and self._before):
                        return
                    server.sendall(packet)
                if server in ready:
                    response = server.recv(1 << 20)
                    if not response or drops_response:
                        return
                    client.sendall(response)

    def _must_cut(self, packet: bytes) -> bool:
        if packet[COMMAND : COMMAND + 1] != QUERY or not packet.endswith(b"COMMIT"):
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
