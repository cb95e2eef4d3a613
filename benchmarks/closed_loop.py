"""A closed loop over HTTP, from wrk: every client sends its next order as soon as it has its response."""

import json
import subprocess
from itertools import chain, repeat
from pathlib import Path
from uuid import uuid4

from benchmarks.server import TIMEOUT, Server
from benchmarks.window import Window

SCRIPT = Path(__file__).with_name("orders.lua")


def measure_closed_loop(
    server: Server, token: str, style: str, books: int, clients: int, seconds: int, *, with_keys: bool = False
) -> Window:
    """Measures one window. With keys, every order has an Idempotency-Key of its own."""
    options = {
        "--threads": min(2, clients),
        "--connections": clients,
        "--duration": f"{seconds}s",
        "--timeout": f"{TIMEOUT}s",
        "--script": SCRIPT,
    }
    key_prefix = [uuid4().hex] if with_keys else []
    command = [
        *("wrk", *map(str, chain.from_iterable(options.items())), f"http://127.0.0.1:{server.port}"),
        *("--", token, style, str(books), *key_prefix),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + TIMEOUT).stdout
    result = json.loads(output.splitlines()[-1])
    return Window(
        (result["responses"] - result["not_2xx"]) / (result["duration"] / 1e6),
        tuple(chain.from_iterable(repeat(taken / 1000, times) for taken, times in result["latencies"])),
        not_2xx=result["not_2xx"] + result["broken"],
    )
