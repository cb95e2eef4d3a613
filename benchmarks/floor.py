"""The floor: the writes of one successful orchestrated order, as bare SQL in the same three commits.

No Python server with these tables and guarantees can be faster, so the API is compared with it. It has no checks, no
HTTP and no ORM: only the rows that must be written and the locks that must be held. It must follow the models: a new
column without a default makes it fail.
"""

import json
import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from benchmarks.database import connect
from benchmarks.window import Window

CUSTOMER, POSTAL_CODE, ADDRESS = "customer-001", "150-0001", "東京都渋谷区神宮前1-2-3"
PRICE, TAX, TOTAL = 1000, 100, 1100
HOLD = timedelta(minutes=15)
HEAD_START = 0.5
"""Seconds for the clients to connect, before all of them start at once."""


def insert(table: str, columns: str, rows: int = 1) -> str:
    """Returns an INSERT of this number of rows."""
    row = f"({', '.join(['%s'] * len(columns.split(',')))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)}"


SAGA = insert(
    "saga_instances",
    "id, saga_type, order_id, status, current_step, payload, idempotency_scope, attempts, owner, fence, "
    "attention_code, created_at, updated_at",
)
ORDER = insert(
    "orders",
    "id, number, customer_id, status, subtotal, discount, tax, total, region, coupon, payment_method, postal_code, "
    "address, cancel_reason, saga_style, created_at, updated_at",
)
ITEM = insert("order_items", "order_id, book_id, title, unit_price, quantity")
LOCK_SHELF = "SELECT on_hand, reserved, version FROM inventory WHERE book_id = %s FOR UPDATE"
HOLD_COPIES = insert("reservations", "id, order_id, book_id, quantity, status, expires_at, held_since, updated_at")
STOCK_EVENT = insert(
    "stock_events",
    "book_id, version, type, on_hand_delta, reserved_delta, on_hand_after, reserved_after, reservation_id, order_id, "
    "reason, actor, happened_at",
)
SHELF = "UPDATE inventory SET on_hand = %s, reserved = %s, version = %s, changed_at = %s WHERE book_id = %s"
PAYMENT = insert(
    "payments",
    "id, order_id, customer_id, amount, refunded_amount, payment_method, payment_token, status, "
    "transaction_id, idempotency_key, failure, created_at, updated_at",
)
SHIPMENT = insert(
    "shipments",
    "id, order_id, customer_id, postal_code, address, country, carrier, tracking_number, status, "
    "idempotency_key, failure, created_at, updated_at",
)
SEQUENCE = insert("event_sequences", "subject, latest")
EVENT = insert(
    "outbox",
    "id, aggregatetype, aggregateid, type, payload, sequence, time, traceparent, for_mail, for_webhooks, for_stream",
)
LOG = "saga_step_logs"
LOG_COLUMNS = "saga_id, seq, step, direction, attempt, status, state, error, detail, started, finished"

CURSOR = (
    "UPDATE saga_instances SET status = %s, current_step = %s, updated_at = %s, finished_at = %s, wake_at = NULL, "
    "attempts = 0 WHERE id = %s AND status = %s AND current_step = %s AND fence = 0 AND cancel_reason IS NULL"
)
CAPTURED = (
    "UPDATE payments SET status = 'captured', updated_at = %s, transaction_id = %s, payment_token = '' "
    "WHERE id = %s AND status = 'pending'"
)
ARRANGED = (
    "UPDATE shipments SET status = 'arranged', updated_at = %s, tracking_number = %s "
    "WHERE id = %s AND status = 'pending'"
)
CONFIRMED = "UPDATE reservations SET status = 'confirmed', updated_at = %s WHERE id = %s AND status = 'active'"
COMPLETED = "UPDATE orders SET status = 'completed', updated_at = %s WHERE id = %s AND status = 'pending'"


class BareOrder:
    """An order of one copy of one book, with as few statements as the tables allow."""

    def __init__(self, connection: Any, book_id: str) -> None:
        self._connection, self._cursor, self._book_id = connection, connection.cursor(), book_id
        self._saga, self._order, self._hold = (uuid7().hex for _ in range(3))
        self._payment, self._shipment, self._event = (uuid7().hex for _ in range(3))
        self._seq = 0

    def place(self) -> None:
        """Runs the three transactions."""
        self._open_and_hold()
        self._pay()
        self._ship_and_complete()

    def _open_and_hold(self) -> None:
        now = utc_now()
        self._run(
            SAGA,
            *(self._saga, "orchestration", self._order, "STOCK_RESERVED", "process_payment", self._payload()),
            *("", 0, "", 0, "", now, now),
        )
        self._run(
            ORDER,
            *(
                self._order,
                self._order[-8:].upper(),
                CUSTOMER,
                "pending",
                PRICE,
                0,
                TAX,
                TOTAL,
                "JP",
                "",
                "credit_card",
                POSTAL_CODE,
                ADDRESS,
            ),
            *("", "orchestration", now, now),
        )
        self._run(ITEM, self._order, self._book_id, "Made-up book", PRICE, 1)
        on_hand, reserved, version = self._lock_shelf()
        self._run(HOLD_COPIES, self._hold, self._order, self._book_id, 1, "active", now + HOLD, now, now)
        self._write_shelf("StockReserved", 0, 1, on_hand, reserved + 1, version + 1)
        self._run(
            PAYMENT,
            *(self._payment, self._order, CUSTOMER, TOTAL, 0, "credit_card", "", "pending", ""),
            *(f"charge-{self._payment}", "", now, now),
        )
        self._log(
            now,
            ("create_order", "done", "ORDER_CREATED"),
            ("reserve_stock", "done", "STOCK_RESERVED"),
            ("process_payment", "started", ""),
        )
        self._connection.commit()

    def _pay(self) -> None:
        now = utc_now()
        self._move("STOCK_RESERVED", "process_payment", "PAYMENT_COMPLETED", "arrange_shipping")
        self._run(CAPTURED, now, f"txn_{self._payment[:20]}", self._payment)
        self._run(
            SHIPMENT,
            *(self._shipment, self._order, CUSTOMER, POSTAL_CODE, ADDRESS, "JP", "mock", "", "pending"),
            *(f"arrange-{self._shipment}", "", now, now),
        )
        self._log(now, ("process_payment", "done", "PAYMENT_COMPLETED"), ("arrange_shipping", "started", ""))
        self._connection.commit()

    def _ship_and_complete(self) -> None:
        now = utc_now()
        self._move("PAYMENT_COMPLETED", "arrange_shipping", "COMPLETED", "", finished=now)
        self._run(ARRANGED, now, f"trk_{self._shipment[:20]}", self._shipment)
        on_hand, reserved, version = self._lock_shelf()
        self._run(CONFIRMED, now, self._hold)
        self._write_shelf("ReservationConfirmed", -1, -1, on_hand - 1, reserved - 1, version + 1)
        self._run(COMPLETED, now, self._order)
        order_id = str(UUID(self._order))
        self._run(SEQUENCE, f"order:{order_id}", 1)
        self._run(
            EVENT,
            *(self._event, "order", order_id, "order.completed", self._event_data(order_id), 1, now, None),
            *(True, True, False),
        )
        self._log(now, ("arrange_shipping", "done", "SHIPPING_ARRANGED"), ("complete_order", "done", "COMPLETED"))
        self._connection.commit()

    # --- Statements -----------------------------------------------------------------------------

    def _run(self, sql: str, *values: Any) -> None:
        if self._cursor.execute(sql, values) < 1:
            raise RuntimeError(f"changed nothing: {sql}")

    def _lock_shelf(self) -> tuple[int, int, int]:
        """Locks the stock of the book. Returns its copies on hand, reserved copies and version."""
        self._run(LOCK_SHELF, self._book_id)
        on_hand, reserved, version = self._cursor.fetchone()
        return on_hand, reserved, version

    def _write_shelf(
        self, event: str, on_hand_delta: int, reserved_delta: int, on_hand: int, reserved: int, version: int
    ) -> None:
        deltas = (on_hand_delta, reserved_delta, on_hand, reserved)
        now = utc_now()
        self._run(STOCK_EVENT, self._book_id, version, event, *deltas, self._hold, self._order, "", "", now)
        self._run(SHELF, on_hand, reserved, version, now, self._book_id)

    def _move(self, state: str, step: str, to: str, next_step: str, finished: datetime | None = None) -> None:
        self._run(CURSOR, to, next_step, utc_now(), finished, self._saga, state, step)

    def _log(self, now: datetime, *lines: tuple[str, str, str]) -> None:
        """Writes log lines of (step, status, state) in one statement."""
        values: list[Any] = []
        for step, status, state in lines:
            self._seq += 1
            finished = None if status == "started" else now
            detail = json.dumps({"command": step, "amount": TOTAL, "currency": "JPY", "transaction_id": self._payment})
            values += [self._saga, self._seq, step, "do", 1, status, state, "", detail, now, finished]
        self._run(insert(LOG, LOG_COLUMNS, len(lines)), *values)

    def _payload(self) -> str:
        line = {"book_id": self._book_id, "title": "Made-up book", "unit_price": PRICE, "quantity": 1}
        return json.dumps(
            {
                "order_id": self._order,
                "customer_id": CUSTOMER,
                "lines": [line],
                "totals": {"subtotal": PRICE, "discount": 0, "tax": TAX, "total": TOTAL},
                "coupon": "",
                "payment_method": "credit_card",
                "payment_token": "",
                "address": {"postal_code": POSTAL_CODE, "text": ADDRESS, "country": "JP"},
                "saga_style": "orchestration",
            }
        )

    def _event_data(self, order_id: str) -> str:
        line = {"book_id": self._book_id, "title": "Made-up book", "unit_price": PRICE, "quantity": 1}
        return json.dumps(
            {
                "order_id": order_id,
                "customer_id": CUSTOMER,
                "style": "orchestration",
                "lines": [line],
                "subtotal": PRICE,
                "discount": 0,
                "tax": TAX,
                "total": TOTAL,
                "currency": "JPY",
                "coupon": "",
                "payment_method": "credit_card",
                "placed_at": datetime.now(UTC).isoformat(),
                "status": "completed",
                "reason": None,
                "cancelled_by": None,
                "payment": {"charged": TOTAL, "refunded": 0, "refunds": []},
                "parcel": {"carrier": "mock", "tracking_number": f"trk_{self._shipment[:20]}"},
            }
        )


def utc_now() -> datetime:
    """Returns the time in UTC without a time zone, as the tables store it."""
    return datetime.now(UTC).replace(tzinfo=None)


def order_for(url: str, books: int, begin: float, end: float) -> list[float]:
    """Runs one client, which orders random books from `begin` to `end` on time.monotonic.

    Returns the milliseconds of each order.
    """
    connection = connect(url)
    connection.autocommit(False)
    time.sleep(max(0.0, begin - time.monotonic()))
    taken = []
    while (started := time.monotonic()) < end:
        BareOrder(connection, f"made-up-{random.randint(1, books):07}").place()
        taken.append((time.monotonic() - started) * 1000)
    connection.close()
    return taken


def measure_floor(url: str, books: int, clients: int, seconds: float) -> Window:
    """Measures one window; every client is a process with one connection."""
    with ProcessPoolExecutor(clients, multiprocessing.get_context("fork")) as pool:
        begin = time.monotonic() + HEAD_START
        running = [pool.submit(order_for, url, books, begin, begin + seconds) for _ in range(clients)]
        results = [client.result() for client in running]
    taken = [one for result in results for one in result]
    slowest = max(sum(result) for result in results) / 1000
    return Window(len(taken) / slowest, taken)
