"""The sandbox's requests and what it did for them, in an SQLite file that outlives the process.

A response is committed together with the entry of what was done: after a crash there are both, or neither.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from cloudmart.sandbox import parcels, wallets

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    provider    TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT,             -- of the request that the key belongs to; NULL: undone before any arrived
    tries       INTEGER NOT NULL,
    status      INTEGER,          -- NULL: no final response yet
    body        TEXT,
    PRIMARY KEY (provider, key)
);
CREATE TABLE IF NOT EXISTS entries (
    reference TEXT NOT NULL,      -- empty: it cannot be looked up by reference
    provider  TEXT NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'void', 'parcel', 'call_off')),
    key       TEXT NOT NULL,
    subject   TEXT NOT NULL,
    order_id  TEXT NOT NULL,
    amount    INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount <> 0),
    made_at   TEXT NOT NULL,
    UNIQUE (provider, key),
    CHECK ((kind IN ('charge', 'parcel')) = (amount > 0))
);
CREATE INDEX IF NOT EXISTS entries_by_reference ON entries (reference);
CREATE INDEX IF NOT EXISTS entries_by_subject ON entries (provider, subject);
CREATE INDEX IF NOT EXISTS entries_by_order ON entries (order_id);
"""


PAGE = 500
"""Charges or parcels per page: milliseconds to sum, however long the ledger, and less than 64 KB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. Entries are only added."""

    reference: str
    provider: str
    kind: str
    key: str
    subject: str
    """The key of the charge or parcel that it makes or undoes."""
    order_id: str
    amount: int
    """Minor units, or parcels; negative when it undoes."""
    made_at: str


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What is stored under a key."""

    fingerprint: str | None
    attempts: int
    response: Response | None


class Made(NamedTuple):
    """A charge or parcel that was made."""

    key: str
    order_id: str
    left: int
    """What of it is not undone."""


class Ledger:
    """The file, open for writing: one transaction at a time, each synced to the disk when it ends."""

    def __init__(self, path: str | Path) -> None:
        self._lock = Lock()
        self._file = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(SCHEMA + wallets.SCHEMA + parcels.SCHEMA)

    @contextmanager
    def transaction(self, provider: str) -> Iterator["Page"]:
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield Page(self._file, provider)
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Page:
    """One provider's part of the ledger, in a transaction."""

    file: sqlite3.Connection
    provider: str

    def arrive(self, key: str, fingerprint: str) -> Request:
        """Counts an attempt with this key. The first attempt's fingerprint stays."""
        self.file.execute(
            "INSERT INTO requests (provider, key, fingerprint, tries) VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET tries = tries + 1",
            (self.provider, key, fingerprint),
        )
        return self.known(key)

    def known(self, key: str) -> Request:
        row = self.file.execute(
            "SELECT fingerprint, tries, status, body FROM requests WHERE provider = ? AND key = ?",
            (self.provider, key),
        ).fetchone()
        if row is None:
            return Request(None, 0, None)
        fingerprint, attempts, status, body = row
        return Request(fingerprint, attempts, Response(status, json.loads(body)) if status else None)

    def store_response(self, key: str, response: Response) -> None:
        """Makes this the key's final response, even if no request with the key has arrived."""
        self.file.execute(
            "INSERT INTO requests (provider, key, tries, status, body) VALUES (?, ?, 0, ?, ?)"
            " ON CONFLICT DO UPDATE SET status = excluded.status, body = excluded.body",
            (self.provider, key, response.status, json.dumps(response.body)),
        )

    def enter(self, kind: str, reference: str, key: str, subject: str, order_id: str, amount: int) -> None:
        now = datetime.now(UTC).isoformat()
        entry = Entry(reference, self.provider, kind, key, subject, order_id, amount, now)
        self.file.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(entry))

    def made(self, key: str = "", reference: str = "") -> Made | None:
        """Returns the charge or parcel with this key or reference; None if it was never made."""
        row = self.file.execute(
            "SELECT made.key, made.order_id, SUM(entries.amount) FROM entries AS made"
            " JOIN entries ON entries.provider = made.provider AND entries.subject = made.key"
            " WHERE +made.provider = :provider AND made.amount > 0"  # the plus: not by an index of all its entries
            " AND (made.provider = :provider AND made.key = :key OR made.reference = nullif(:reference, ''))"
            " GROUP BY made.key",
            {"provider": self.provider, "key": key, "reference": reference},
        ).fetchone()
        return Made(*row) if row else None


def entries_in(path: str | Path, order_id: UUID | str | None = None, key: str | None = None) -> list[Entry]:
    """Returns what was done, oldest first: all of it, or for one order, or for the charge or parcel with this key.

    Reads the file, whether or not a sandbox runs.
    """
    with reading(path) as file:
        rows = file.execute(
            "SELECT * FROM entries WHERE order_id = ifnull(?, order_id) AND subject = ifnull(?, subject)"
            " ORDER BY rowid",
            (order_id and str(order_id), key),
        )
        return [Entry(*row) for row in rows]


def left_after(path: str | Path, provider: str, key: str) -> tuple[dict[str, int], str | None]:
    """Returns what is left of each charge or parcel, on the page after this key; and the page's last key.

    Pages are in the order of the keys. What is undone counts towards their size, so that no page takes longer. The
    last page has no last key.
    """
    with reading(path) as file:
        sums = file.execute(
            "SELECT subject, SUM(amount) FROM entries WHERE provider = ? AND subject > ?"
            " GROUP BY subject ORDER BY subject LIMIT ?",
            (provider, key, PAGE),
        ).fetchall()
    return {subject: left for subject, left in sums if left > 0}, sums[-1][0] if len(sums) == PAGE else None


def live(entries: Iterable[Entry]) -> dict[tuple[str, str, str], int]:
    """Returns what is left of each charge and parcel that is not undone, by (provider, order's id, key)."""
    left: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        left[entry.provider, entry.order_id, entry.subject] += entry.amount
    return dict(+left)


def reading(path: str | Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=30))
