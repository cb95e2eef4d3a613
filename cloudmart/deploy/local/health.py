"""Whether a component on a port of this machine is ready, in its own protocol."""

import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

Check = Callable[[int], bool]
TIMEOUT = 5
"""Seconds until a component without a response is not ready."""


def http_check(path: str) -> Check:
    """Returns the check that the response to GET `path` is 200."""

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


def tcp_check(start: bytes, *, request: bytes = b"") -> Check:
    """Returns the check that a response, to `request` or to the connection alone, begins with `start`."""

    def check(port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
                connection.sendall(request)
                response = connection.recv(64)
        except OSError:
            return False
        return response != b"" and response.startswith(start)

    return check


def is_running(port: int) -> bool:
    """The check of a component without a port: it is ready as long as it runs."""
    return True


GREETING_OF_A_DATABASE = tcp_check(b"")
PONG = tcp_check(b"+PONG", request=b"PING\r\n")
AMQP = tcp_check(b"\x01\x00\x00", request=b"AMQP\x00\x00\x09\x01")
"""RabbitMQ opens the connection: it sends a method frame on channel 0."""
READY, METRICS = http_check("/readyz"), http_check("/metrics")
