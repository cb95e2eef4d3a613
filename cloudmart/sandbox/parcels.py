"""What becomes of the sandbox's parcels, in the file of its ledger; and the webhooks that are not accepted yet.

A webhook is stored in the transaction that moves its parcel, so none is lost.
"""

import json
import sqlite3
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

SCHEMA = """
CREATE TABLE IF NOT EXISTS parcels (
    key          TEXT PRIMARY KEY,
    shipped_at   TEXT,
    delivered_at TEXT
);
CREATE TABLE IF NOT EXISTS webhooks (
    id     TEXT PRIMARY KEY,
    body   TEXT NOT NULL,
    tries  INTEGER NOT NULL,
    due_at REAL NOT NULL        -- seconds since 1970
);
CREATE INDEX IF NOT EXISTS webhooks_by_time ON webhooks (due_at);
"""

ARRANGED, SHIPPED, DELIVERED, CANCELLED = "arranged", "shipped", "delivered", "cancelled"
STATUSES = (ARRANGED, SHIPPED, DELIVERED)

FIND = """
SELECT made.key, made.order_id, made.reference, shipped_at, delivered_at, SUM(entries.amount) FROM entries AS made
  JOIN entries ON entries.provider = made.provider AND entries.subject = made.key
  LEFT JOIN parcels ON parcels.key = made.key
  WHERE made.kind = 'parcel' AND {condition} GROUP BY made.key
"""

HAS_NAME = """
(made.provider = 'carrier' AND made.key = :name OR made.order_id = :name OR made.reference = nullif(:name, ''))
"""
"""With the provider, because the index of the keys begins with it."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A parcel, and what has become of it."""

    parcel_key: str
    order_id: str
    tracking_number: str
    status: str
    shipped_at: str | None
    delivered_at: str | None

    def as_json(self) -> dict[str, str | None]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A webhook that is not accepted yet, and how often it was sent."""

    id: str
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Parcels:
    """The parcels, in a transaction of the ledger, or to be read."""

    file: sqlite3.Connection

    def find(self, name: str) -> Tracked | None:
        """Returns the parcel with this key, tracking number or order's id; None if there is none."""
        row = self.file.execute(FIND.format(condition=HAS_NAME), {"name": name}).fetchone()
        return _tracked(row) if row else None

    def move(self, parcel: Tracked, status: str) -> Tracked:
        """Moves the parcel to this status, and stores the webhook. A parcel never moves back.

        Raises ValueError for another status, and for a cancelled parcel.
        """
        if status not in STATUSES[1:]:
            raise ValueError(f"The status is {' or '.join(STATUSES[1:])}.")
        if parcel.status == CANCELLED:
            raise ValueError("The parcel was cancelled.")
        if STATUSES.index(status) <= STATUSES.index(parcel.status):
            return parcel
        now = datetime.now(UTC).isoformat()
        self.file.execute("INSERT OR IGNORE INTO parcels (key) VALUES (?)", (parcel.parcel_key,))
        self.file.execute(f"UPDATE parcels SET {status}_at = ? WHERE key = ?", (now, parcel.parcel_key))  # noqa: S608
        self._store_webhook(parcel, status, now)
        return self.find(parcel.parcel_key) or parcel

    def due(self, status: str, delay: float) -> list[Tracked]:
        """Returns the parcels that have had the status before this one for so many seconds."""
        before = (datetime.now(UTC) - timedelta(seconds=delay)).isoformat()
        condition = {
            SHIPPED: "shipped_at IS NULL AND delivered_at IS NULL AND made.made_at <= :before",
            DELIVERED: "delivered_at IS NULL AND shipped_at <= :before",
        }[status]
        found = [_tracked(row) for row in self.file.execute(FIND.format(condition=condition), {"before": before})]
        return [parcel for parcel in found if parcel.status != CANCELLED]

    # --- Webhooks -------------------------------------------------------------------------------

    def due_webhooks(self) -> list[StoredWebhook]:
        rows = self.file.execute(
            "SELECT id, body, tries FROM webhooks WHERE due_at <= ? ORDER BY due_at, rowid LIMIT 100", (time.time(),)
        )
        return [StoredWebhook(*row) for row in rows]

    def forget(self, webhook: StoredWebhook) -> None:
        self.file.execute("DELETE FROM webhooks WHERE id = ?", (webhook.id,))

    def postpone(self, webhook: StoredWebhook, delay: float) -> None:
        """Counts the attempt. The next one follows after so many seconds."""
        later = (time.time() + delay, webhook.id)
        self.file.execute("UPDATE webhooks SET tries = tries + 1, due_at = ? WHERE id = ?", later)

    def _store_webhook(self, parcel: Tracked, status: str, at: str) -> None:
        names = ("parcel_key", "order_id", "tracking_number")
        data = {name: getattr(parcel, name) for name in names}
        body = json.dumps({"type": f"parcel.{status}", "timestamp": at, "data": data})
        webhook = (f"msg_{uuid4().hex}", body, 0, time.time())
        self.file.execute("INSERT INTO webhooks (id, body, tries, due_at) VALUES (?, ?, ?, ?)", webhook)


def _tracked(row: tuple[str, str, str, str | None, str | None, int]) -> Tracked:
    key, order_id, reference, shipped_at, delivered_at, left = row
    status = DELIVERED if delivered_at else SHIPPED if shipped_at else ARRANGED if left else CANCELLED
    return Tracked(key, order_id, reference, status, shipped_at, delivered_at)
