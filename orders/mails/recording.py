"""Recording a mail, in the transaction that decides the outcome. Nothing is sent here."""

from typing import Any

from django.conf import settings

from cloudmart.database.clock import from_now
from cloudmart.database.prepared import Insert
from cloudmart.kernel.versioned_json import VersionedJson
from orders.models import Mail, Order, Outcome

STORED = VersionedJson(())
"""The versions of a mail's data."""

INSERT = Insert(Mail)


def record(order: Order, outcome: Outcome, **details: Any) -> None:
    """Records the mail of an outcome that is decided once. Raises IntegrityError if it is recorded already."""
    INSERT(_mail(order, outcome, "", details))


def record_once(order: Order, outcome: Outcome, reference: str = "", **details: Any) -> None:
    """Records the mail of an outcome, unless it is recorded. A `reference` distinguishes several of one order."""
    INSERT.unless_exists(_mail(order, outcome, reference, details))


def _mail(order: Order, outcome: Outcome, reference: str, details: dict[str, Any]) -> Mail:
    return Mail(
        order_id=order.pk,
        outcome=outcome,
        reference=reference,
        data=STORED.written({**order_data(order), **details}),
        retry_until=from_now(settings.MAIL_RETRY_FOR),
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
