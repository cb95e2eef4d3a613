"""A process with a database of its own, in which it places orders on request. For benchmarks/growth.py.

Run python -m benchmarks.growing_shop ORDERS: fills the database that DATABASE_URL names. Then it reads lines of a
style and a number, places so many orders, and prints the milliseconds of processor time of each, as JSON.
"""

import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
os.environ.update(DEBUG="false", HTTPS="false", LOG_LEVEL="WARNING", THROTTLE_USERS="", THROTTLE_STRANGERS="")
os.environ.update(PROVIDER_BACKOFF="0", ALLOW_MAGIC_TOKENS="true")  # the sample has every usual outcome
os.environ["CONN_MAX_AGE"] = "3600"  # a new connection has statements of its own
django.setup()

from django.core.management import call_command  # noqa: E402

from benchmarks.shop import CUSTOMER, create_tables, make_sample, multiply  # noqa: E402
from cloudmart.wsgi import application  # noqa: E402
from sagas.management.commands.seed import add_books, add_user  # noqa: E402

BOOKS = [f"growth-{number}" for number in range(100)]
COPIES = 1_000_000


def issue_token() -> str:
    """Returns an API token of a new user, who is the customer of all the orders that are there."""
    add_user("growth", CUSTOMER)
    output = StringIO()
    call_command("issue_token", "growth", stdout=output)
    return output.getvalue().strip()


def order(token: str, style: str) -> None:
    """Sends an order through the WSGI application. Raises RuntimeError unless the status is 201."""
    content = {"book_id": random.choice(BOOKS), "quantity": 1, "payment_method": "credit_card", "saga": style}
    body = json.dumps(content).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/orders",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.input": BytesIO(body),
    }
    setup_testing_defaults(environ)
    statuses: list[str] = []
    response = application(environ, lambda status, headers, error=None: statuses.append(status))
    text = b"".join(response)
    response.close()
    if not statuses[0].startswith("201"):
        raise RuntimeError(f"{statuses[0]}: {text.decode()}")


def processor_milliseconds(act: Callable[[], None]) -> float:
    began = time.thread_time()
    act()
    return (time.thread_time() - began) * 1000


@contextmanager
def without_collections() -> Iterator[None]:
    """Collects garbage before the block, and never within it: collections would hit single orders at random."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main() -> None:
    create_tables()
    multiply(-(-int(sys.argv[1]) // make_sample()))
    add_books((book_id, "A book", 1000, COPIES) for book_id in BOOKS)
    token = issue_token()
    print("ready", flush=True)
    for line in sys.stdin:
        style, number = line.split()
        with without_collections():
            taken = [processor_milliseconds(lambda: order(token, style)) for _ in range(int(number))]  # noqa: B023
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
