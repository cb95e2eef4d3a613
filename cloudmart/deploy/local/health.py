"""Whether a component on a port of this machine is ready, in its own protocol."""

import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

Check = Callable[[int], bool]
TIMEOUT = 5
"""Seconds until a component without an answer is not ready."""


def answers(path: str) -> Check:
    """Returns the check that GET `path` is answered with 200."""

    def check(port: int) -> bool:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return check


def says(start: bytes, *, to: bytes = b"") -> Check:
    """Returns the check that a connection, and `to` if given, is answered with bytes that begin with `start`."""

    def check(port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
                connection.sendall(to)
                answer = connection.recv(64)
        except OSError:
            return False
        return answer != b"" and answer.startswith(start)

    return check


GREETING_OF_A_DATABASE = says(b"")
PONG = says(b"+PONG", to=b"PING\r\n")
AMQP = says(b"\x01\x00\x00", to=b"AMQP\x00\x00\x09\x01")
"""RabbitMQ opens the connection: it sends a method frame on channel 0."""
METRICS = answers("/metrics")
