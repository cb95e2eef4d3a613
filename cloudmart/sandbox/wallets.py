"""The balances of wallets, as entries in the file of the sandbox's ledger: a balance is the sum of its entries.

What is paid and given back is entered in the transaction that enters the charge, refund or void.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudmart.providers.magic import Refusal
from cloudmart.providers.wallets import Wallet

SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet_entries (
    wallet  TEXT NOT NULL,
    key     TEXT NOT NULL,  -- of what changes the balance; empty for its opening
    charge  TEXT,           -- the key of the charge that is paid or given back; NULL: none
    amount  INTEGER NOT NULL CHECK (typeof(amount) = 'integer'),  -- minor units; negative when it pays
    made_at TEXT NOT NULL,
    PRIMARY KEY (wallet, key)
);
CREATE INDEX IF NOT EXISTS wallet_entries_by_charge ON wallet_entries (charge);
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One wallet, in a transaction of the ledger, or to be read."""

    file: sqlite3.Connection
    wallet: Wallet

    def pay(self, key: str, amount: int) -> Refusal | None:
        """Pays a charge, or returns why not."""
        self._open()
        if refusal := self.wallet.refusal_of(amount, self.balance, self.paid_today):
            return refusal
        _enter(self.file, self.wallet.name, key, key, -amount)
        return None

    def top_up(self, key: str, amount: int) -> None:
        self._open()
        _enter(self.file, self.wallet.name, key, None, amount)

    @property
    def balance(self) -> int:
        """The sum of the entries; of a wallet that nobody has used, its opening balance."""
        balance = self._sum_of_entries
        return self.wallet.opening_balance if balance is None else balance

    @property
    def paid_today(self) -> int:
        """What it has paid since midnight (UTC), and not got back."""
        (paid,) = self.file.execute(
            "SELECT -SUM(entry.amount) FROM wallet_entries AS charge"
            " JOIN wallet_entries AS entry ON entry.charge = charge.key"
            " WHERE charge.wallet = ? AND charge.charge = charge.key AND charge.made_at >= ?",
            (self.wallet.name, datetime.now(UTC).date().isoformat()),
        ).fetchone()
        return int(paid or 0)

    def as_json(self) -> dict[str, int | str]:
        return {
            "wallet": self.wallet.name,
            "balance": self.balance,
            "paid_today": self.paid_today,
            "limit": self.wallet.limit,
            "daily_limit": self.wallet.daily_limit,
        }

    def _open(self) -> None:
        """Enters the opening balance of a new wallet, which later settings do not change."""
        if self._sum_of_entries is None:
            _enter(self.file, self.wallet.name, "", None, self.wallet.opening_balance)

    @property
    def _sum_of_entries(self) -> int | None:
        (total,) = self.file.execute(
            "SELECT SUM(amount) FROM wallet_entries WHERE wallet = ?", (self.wallet.name,)
        ).fetchone()
        return total


def give_back(file: sqlite3.Connection, key: str, charge: str, amount: int) -> None:
    """Returns this much of a charge to the wallet that has paid it, if one has."""
    paid = file.execute("SELECT wallet FROM wallet_entries WHERE charge = ? AND key = charge", (charge,)).fetchone()
    if paid:
        _enter(file, paid[0], key, charge, amount)


def _enter(file: sqlite3.Connection, wallet: str, key: str, charge: str | None, amount: int) -> None:
    now = datetime.now(UTC).isoformat()
    file.execute("INSERT INTO wallet_entries VALUES (?, ?, ?, ?, ?)", (wallet, key, charge, amount, now))
