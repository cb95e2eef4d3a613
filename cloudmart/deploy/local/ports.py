"""Free ports of the loopback interface."""

import random
import socket
from collections.abc import Iterator

RANGE = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, so that a component finds its port again."""


def free_ports() -> Iterator[int]:
    """Yields different free ports."""
    yield from filter(is_free, random.sample(RANGE, len(RANGE)))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
