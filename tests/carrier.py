"""The carrier's webhooks, signed as the Standard Webhooks scheme says."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from rest_framework.test import APIClient
from standardwebhooks.webhooks import Webhook

from shipping.carriers.port import carrier
from shipping.carriers.reports import Progress, Report
from shipping.models import Shipment

SECRET = "whsec_Y2Fycmllci1zZWNyZXQtb2YtdGhlLXRlc3Rz"
HAPPENED = "2026-11-22T08:30:00Z"


def key_of(order_id: str) -> str:
    return str(Shipment.objects.get(order_id=order_id).idempotency_key)


def event(order_id: str, progress: str, at: str = HAPPENED) -> bytes:
    body = {"type": f"parcel.{progress}", "timestamp": at, "data": {"parcel_key": key_of(order_id)}}
    return json.dumps(body).encode()


def headers(body: bytes, secret: str = SECRET, age: timedelta = timedelta(0), **changes: str) -> dict[str, str]:
    """The headers of a webhook that was signed so long ago."""
    message_id, sent = f"msg_{uuid4().hex}", datetime.now(UTC) - age
    signature = Webhook(secret).sign(message_id, sent, body.decode())
    signed = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": signature,
    }
    return signed | {name.replace("_", "-"): value for name, value in changes.items()}


def post(body: bytes, signed: dict[str, str] | None = None) -> Any:
    """Sends a webhook, signed by default."""
    given = headers(body) if signed is None else signed
    return APIClient().post("/shipping/webhook", body, content_type="application/json", headers=given)


def report(order_id: str, progress: str, at: str = HAPPENED) -> Any:
    """The carrier reports what has become of the order's parcel."""
    return post(event(order_id, progress, at))


def collect(order_id: str, progress: Progress = Progress.SHIPPED) -> None:
    """The mock carrier has collected, or delivered, the parcel, and has not reported it."""
    carrier().reports[key_of(order_id)] = Report(progress)  # type: ignore[attr-defined]
