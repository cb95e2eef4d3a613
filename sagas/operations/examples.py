"""Examples of operator commands, of the status of a saga, and of what a carrier reports."""

from typing import Any

from cloudmart.api.examples import CREATED, FINISHED, ORDER, request_example
from sagas.desk.examples import DECLINE

WITHOUT_REASON = request_example("Without a reason", {})

RETRY = [WITHOUT_REASON, request_example("With a reason", {"reason": "The bank is available again"})]

COMPENSATION = [request_example("With a reason", {"reason": "The print run was recalled"}), WITHOUT_REASON]

RESUMPTION = [request_example("With a reason", {"reason": "The bank has opened the card again"}), WITHOUT_REASON]

CLOSED_CARD = {"reason": "The card is closed; refunded by bank transfer 4711"}

ABANDONMENT = [request_example("A refund that the provider never accepts", CLOSED_CARD)]

SAGA_STEPS: list[tuple[str, str, str, str, str, dict[str, Any]]] = [
    ("create_order", "do", "done", "ORDER_CREATED", "CreateOrder", {}),
    ("reserve_stock", "do", "done", "STOCK_RESERVED", "ReserveStock", {}),
    ("process_payment", "do", "started", "", "ProcessPayment", {"amount": 3850}),
    (
        "process_payment",
        "do",
        "failed",
        "COMPENSATION_STARTED",
        "ProcessPayment",
        {"amount": 3850, **DECLINE},
    ),
    ("process_payment", "undo", "skipped", "", "RefundPayment", {}),
    ("reserve_stock", "undo", "done", "", "ReleaseStock", {}),
    ("create_order", "undo", "done", "", "CancelOrder", {}),
]

SAGA_EXAMPLE: dict[str, Any] = {
    "saga_id": "01a1fc13-06f5-7235-ad02-85a71705bde9",
    "order_id": ORDER,
    "style": "orchestration",
    "status": "FAILED",
    "current_step": "",
    "failure": DECLINE,
    "attention": None,
    "abandoned_at": None,
    "started_at": CREATED,
    "finished_at": FINISHED,
}

SAGA_STATUS_EXAMPLE: dict[str, Any] = {
    **SAGA_EXAMPLE,
    "history": ["STARTED", "ORDER_CREATED", "STOCK_RESERVED", "COMPENSATION_STARTED", "FAILED"],
    "steps": [
        {
            "seq": seq,
            "step": step,
            "direction": direction,
            "attempt": 1,
            "status": status,
            "state": state,
            "error": detail.get("detail", ""),
            "detail": {"command": command, **detail},
            "started": CREATED,
            "finished": None if status == "started" else FINISHED,
        }
        for seq, (step, direction, status, state, command, detail) in enumerate(
            SAGA_STEPS,
            start=1,
        )
    ],
    "events": [],
    "actions": [],
}

CARRIER_EVENTS = [
    request_example(
        "Collected",
        {
            "type": "parcel.shipped",
            "timestamp": "2026-11-22T08:30:00Z",
            "data": {"parcel_key": "arrange-01a1fc13-06f9-77e8-a6c1-134cda55788b"},
        },
    ),
    request_example(
        "Delivered",
        {
            "type": "parcel.delivered",
            "timestamp": "2026-11-23T14:05:00Z",
            "data": {"parcel_key": "arrange-01a1fc13-06f9-77e8-a6c1-134cda55788b"},
        },
    ),
]
