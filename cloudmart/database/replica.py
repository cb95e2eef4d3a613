"""Reads from a replica, for lists and reports that may be a little old.

    with stale_reads():
        return list(Order.objects.all())

Only the reads of the ORM within the block go to the replica, and only those outside of transactions. Everything else
uses the primary: writes, locks, transactions, prepared statements and raw SQL. So do users, roles and permissions,
which decide what the block may show. Without DATABASE_REPLICA_URL the block changes nothing.

The replica is not needed: while it does not respond, its replication has stopped or lags by more than MAX_LAG seconds,
these reads use the primary too.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from prometheus_client import Counter

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.metrics import harmless

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

REPLICA = "replica"
PERMISSIONS_APP = "auth"
"""The app of users, roles and permissions."""
MAX_LAG = 60
"""Seconds."""
PROBE_INTERVAL, RETRY_INTERVAL = 10, 30
"""Seconds until a replica is probed again: one that was usable, and one that was not."""

LAG_COLUMNS = ("Seconds_Behind_Source", "Seconds_Behind_Master")
NOT_PRIVILEGED, NOT_KNOWN = 1227, 1064
"""The errors of a server that does not show its status to this user, and of one that is older than the statement."""

REPLICA_FAILURES = Counter("cloudmart_replica_failures", "Times that a replica was found unusable.")

_is_stale_allowed: ContextVar[bool] = ContextVar("stale reads", default=False)


@contextmanager
def stale_reads() -> Iterator[None]:
    """Lets reads within the block see an earlier state, that of the replica."""
    token = _is_stale_allowed.set(True)
    try:
        yield
    finally:
        _is_stale_allowed.reset(token)


def reads_stale(read: Callable[P, R]) -> Callable[P, R]:
    """Runs `read` within stale_reads(), and again on the primary if the replica fails meanwhile.

    The primary also decides whether there is an error of the domain: the replica may not have the row yet.
    """

    @wraps(read)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with stale_reads():
                return read(*args, **kwargs)
        except (Error, DomainError) as error:
            if not is_of_replica(error):
                raise
            if isinstance(error, Error):
                STATE.fail(error)
        return read(*args, **kwargs)

    return run


def is_of_replica(error: Error | DomainError) -> bool:
    """Returns True if the primary may have another result: the replica has failed, or does not have the row yet."""
    if REPLICA not in connections.settings:
        return False
    return isinstance(error, DomainError) or bool(connections[REPLICA].errors_occurred)


class ReplicaRouter:
    """Routes every model to the primary, and stale reads to the replica, except those of PERMISSIONS_APP.

    It decides for every instance, because Django would use the database that an instance was read from.
    """

    def db_for_read(self, model: Any, **hints: Any) -> str:
        may_be_stale = _is_stale_allowed.get() and not connection.in_atomic_block
        if may_be_stale and model._meta.app_label != PERMISSIONS_APP and STATE.is_usable():
            return REPLICA
        return DEFAULT_DB_ALIAS

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, *instances: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


class ReplicaState:
    """Whether this process uses the replica. One thread at a time probes it; the others do not wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forgets what was found."""
        self._is_usable, self._probe_at = True, 0.0

    def is_usable(self) -> bool:
        """Returns True if the replica was usable when it was probed last. Probes it if that is long ago."""
        if monotonic() >= self._probe_at and self._lock.acquire(blocking=False):
            try:
                self._probe()
            finally:
                self._lock.release()
        return self._is_usable

    def fail(self, reason: object) -> None:
        """Stops the use of the replica for RETRY_INTERVAL seconds."""
        connections[REPLICA].close()
        connections[REPLICA].errors_occurred = False
        if self._is_usable:
            logger.warning("the replica is not used: %s", reason)
        self._is_usable, self._probe_at = False, monotonic() + RETRY_INTERVAL
        count_failure()

    def _probe(self) -> None:
        try:
            reason = reason_against(connections[REPLICA])
        except Error as error:
            reason = str(error)
        if reason:
            self.fail(reason)
        else:
            self._succeed()

    def _succeed(self) -> None:
        if not self._is_usable:
            logger.info("the replica is used again")
        self._is_usable, self._probe_at = True, monotonic() + PROBE_INTERVAL


STATE = ReplicaState()


def reason_against(replica: Any) -> str:
    """Returns why a replica that responds should not be read; "" if nothing is known against it.

    MySQL and MariaDB show the lag to users with REPLICATION CLIENT (MariaDB: SLAVE MONITOR) only.
    """
    with replica.cursor() as cursor:
        try:
            cursor.execute("SHOW REPLICA STATUS" if replica.vendor == "mysql" else "SELECT 1")
        except Error as error:
            if error.args[0] not in {NOT_PRIVILEGED, NOT_KNOWN}:
                raise
            replica.errors_occurred = False
            return ""
        names = [column[0] for column in cursor.description or ()]
        channels = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    lags = [channel[name] for channel in channels for name in LAG_COLUMNS if name in channel and not of_group(channel)]
    if None in lags:
        return "its replication has stopped"
    return f"it lags by {max(lags)} seconds" if lags and max(lags) > MAX_LAG else ""


def of_group(channel: dict[str, Any]) -> bool:
    """Returns True for a channel of Group Replication, which has no lag of this kind."""
    return str(channel.get("Channel_Name", "")).startswith("group_replication")


@harmless
def count_failure() -> None:
    REPLICA_FAILURES.inc()
