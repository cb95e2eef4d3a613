"""Recording mails, in the transaction that passes their events on. Nothing is sent here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from cloudmart.database.clock import from_now
from cloudmart.database.prepared import Insert
from cloudmart.kernel.versioned_json import VersionedJson
from orders.models import Mail, Order, Outcome

STORED = VersionedJson(())
"""The versions of a mail's data."""

INSERT = Insert(Mail)


def record(mails: Sequence[Mail]) -> None:
    """Records these mails. One whose outcome has a mail already is left out."""
    if not INSERT.unless_exists(*mails):
        for mail in mails:
            INSERT.unless_exists(mail)


def mail_of(order: Order, outcome: Outcome, reference: str = "", *, created_at: datetime, **details: Any) -> Mail:
    """Returns the mail of an outcome, not saved. A `reference` distinguishes several of one order."""
    return Mail(
        order_id=order.pk,
        outcome=outcome,
        reference=reference,
        data=STORED.written({**order_data(order), **details}),
        retry_until=from_now(settings.MAIL_RETRY_FOR),
        created_at=created_at,
    )


def order_data(order: Order) -> dict[str, Any]:
    """Returns what a mail can say of its order. Amounts are in minor units."""
    return {
        "lines": [
            {"title": line.title, "unit_price": line.unit_price, "quantity": line.quantity} for line in order.lines
        ],
        **{name: getattr(order, name) for name in ("subtotal", "discount", "tax", "total", "payment_method")},
        "address": {"postal_code": order.postal_code, "text": order.address, "country": order.region},
    }
