"""The shop, with a database that is further away: each statement takes DISTANCE milliseconds longer.

On one machine a statement takes a tenth of a millisecond; to a database on another machine it takes one or more.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.signals import connection_created

from cloudmart.asgi import application as application

DISTANCE = float(os.environ.get("DISTANCE", "0")) / 1000


def travel(execute: Callable[..., Any], *statement: Any) -> Any:
    time.sleep(DISTANCE)
    return execute(*statement)


def move_away(connection: Any, **_: Any) -> None:
    connection.execute_wrappers.append(travel)


if DISTANCE:
    connection_created.connect(move_away, dispatch_uid="distance")
