"""Classifies database errors by what may help the transaction, whatever exception class the driver uses."""

from enum import Enum

from django.db import Error, IntegrityError


class Remedy(Enum):
    """How a transaction can succeed after an error.

    Each value states whether a new connection is needed, and whether a COMMIT that fails with it commits nothing.
    """

    #: The transaction conflicted with another one and was rolled back.
    REPEAT = (False, True)
    #: The server refuses to write, and wrote nothing of this transaction. A new connection may reach another server.
    WRITE_ELSEWHERE = (True, True)
    #: The statement was interrupted. An interrupted COMMIT may have succeeded.
    REPEAT_UNLESS_COMMITTING = (False, False)
    #: The connection is lost, or its state is unknown. A COMMIT on it may have succeeded.
    RECONNECT_UNLESS_COMMITTING = (True, False)

    def __init__(self, needs_new_connection: bool, is_certain_at_commit: bool) -> None:
        self.needs_new_connection = needs_new_connection
        self.is_certain_at_commit = is_certain_at_commit


MYSQL_REMEDIES = {
    1020: Remedy.REPEAT,  # record changed since last read (MariaDB under snapshot isolation)
    1205: Remedy.REPEAT,  # lock wait timeout: the server rolled back the statement only
    1213: Remedy.REPEAT,  # deadlock: the server rolled back the transaction
    3: Remedy.WRITE_ELSEWHERE,  # a temporary file cannot be written: the disk is full
    1021: Remedy.WRITE_ELSEWHERE,  # the disk is full
    1047: Remedy.WRITE_ELSEWHERE,  # Galera: this node is not part of the cluster
    1114: Remedy.WRITE_ELSEWHERE,  # the table, or the disk under it, is full
    1226: Remedy.WRITE_ELSEWHERE,  # the user has exhausted its statements, updates or connections
    1290: Remedy.WRITE_ELSEWHERE,  # read_only or super_read_only
    1792: Remedy.WRITE_ELSEWHERE,  # transaction_read_only
    1836: Remedy.WRITE_ELSEWHERE,  # innodb_read_only
    3100: Remedy.WRITE_ELSEWHERE,  # group replication: the group rejected the transaction
    3101: Remedy.WRITE_ELSEWHERE,  # group replication: the group rolled back the transaction
    1317: Remedy.REPEAT_UNLESS_COMMITTING,  # KILL QUERY
    1969: Remedy.REPEAT_UNLESS_COMMITTING,  # max_statement_time (MariaDB)
    3024: Remedy.REPEAT_UNLESS_COMMITTING,  # max_execution_time (MySQL)
    1040: Remedy.RECONNECT_UNLESS_COMMITTING,  # too many connections
    1053: Remedy.RECONNECT_UNLESS_COMMITTING,  # the server is shutting down
    1180: Remedy.RECONNECT_UNLESS_COMMITTING,  # COMMIT failed, as on a Galera node that is cut off
    1203: Remedy.RECONNECT_UNLESS_COMMITTING,  # too many connections of this user
    1927: Remedy.RECONNECT_UNLESS_COMMITTING,  # the connection was killed
    2002: Remedy.RECONNECT_UNLESS_COMMITTING,  # no server (socket)
    2003: Remedy.RECONNECT_UNLESS_COMMITTING,  # no server
    2005: Remedy.RECONNECT_UNLESS_COMMITTING,  # no address for the server's name
    2006: Remedy.RECONNECT_UNLESS_COMMITTING,  # the server has gone away
    2013: Remedy.RECONNECT_UNLESS_COMMITTING,  # lost the connection
    2026: Remedy.RECONNECT_UNLESS_COMMITTING,  # TLS failed
    2055: Remedy.RECONNECT_UNLESS_COMMITTING,  # lost the connection, extended
    3032: Remedy.RECONNECT_UNLESS_COMMITTING,  # offline_mode, as after a node has left its group
    4031: Remedy.RECONNECT_UNLESS_COMMITTING,  # the server closed an idle connection
}

MYSQL_DUPLICATES = {1062, 1586}  # a duplicate entry, without and with the name of the key

SQLITE_REMEDIES = {
    "database is locked": Remedy.REPEAT,
    "database or disk is full": Remedy.WRITE_ELSEWHERE,
    "attempt to write a readonly database": Remedy.WRITE_ELSEWHERE,
    "unable to open database file": Remedy.RECONNECT_UNLESS_COMMITTING,
    "disk I/O error": Remedy.RECONNECT_UNLESS_COMMITTING,
}


def remedy_for(error: Error) -> Remedy | None:
    """Returns how to repeat the transaction; None if repeating it would not help."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, int):
        return MYSQL_REMEDIES.get(reason)
    return next((remedy for text, remedy in SQLITE_REMEDIES.items() if text in str(reason)), None)


def is_duplicate(error: IntegrityError) -> bool:
    """Returns True if the statement violates a unique constraint, and no other one.

    Our backend for MySQL may raise the error of an earlier statement, which says nothing about this one.
    """
    if getattr(error.__cause__, "is_of_earlier_statement", False):
        return False
    return error.args[0] in MYSQL_DUPLICATES or "UNIQUE constraint failed" in str(error)
