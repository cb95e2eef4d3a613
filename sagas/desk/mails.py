"""The consumer of events that mails them to the customer: how the order's saga has finished, refunds, and parcels."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer, OutboxEvent
from cloudmart.outbox.types import EventType
from orders.mails.recording import mail_of, record
from orders.mails.sending import send_due
from orders.models import Mail, Order, Outcome
from sagas.desk.outcomes import BY_CUSTOMER, BY_SHOP
from sagas.desk.reasons import CANCELLED_BY_SHOP, STOPPED_BY_SHOP

OUTCOMES = {
    EventType.ORDER_COMPLETED: Outcome.COMPLETED,
    EventType.ORDER_CANCELLED: Outcome.CANCELLED,
    EventType.ORDER_RETURNED: Outcome.RETURNED,
    EventType.PAYMENT_REFUNDED: Outcome.REFUNDED,
    EventType.PARCEL_SHIPPED: Outcome.SHIPPED,
}
NO_MESSAGE = {CANCELLED_BY_SHOP, STOPPED_BY_SHOP}
"""Reasons that no operator has written."""


def send_mails() -> int:
    """Records the mails of new events, and tries each mail that is due. Returns how many were tried."""
    record_mails()
    return send_due()


def record_mails(should_stop: ShouldStop = never) -> int:
    """Passes the recorded events on to the mail. Returns how many."""
    return pass_on(Consumer.MAIL, receive, should_stop)


def receive(events: Sequence[OutboxEvent]) -> None:
    """Records a mail for each of these events whose order is ours, in the open transaction."""
    orders = Order.objects.prefetch_related("items").in_bulk([UUID(event.subject) for event in events])
    refunded = refunds_with_mail(orders)
    mails = []
    for event in events:
        if order := orders.get(UUID(event.subject)):
            mails.append(_mail(order, event, refunded))
    record(mails)


def refunds_with_mail(order_ids: Iterable[UUID]) -> set[str]:
    """Returns the ids of the refunds of these orders that have a mail of their own."""
    mails = Mail.objects.filter(order__in=list(order_ids), outcome=Outcome.REFUNDED)
    return set(mails.values_list("reference", flat=True))


def _mail(order: Order, event: OutboxEvent, refunded: set[str]) -> Mail:
    """Returns the mail of the event. `refunded` are the refunds with a mail of their own, and gets this one."""
    outcome, data = OUTCOMES[EventType(event.type)], event.payload
    reference, details = "", {}
    match outcome:
        case Outcome.CANCELLED:
            details = {**why(data), **money(data, refunded)}
        case Outcome.RETURNED:
            details = money(data, refunded)
        case Outcome.REFUNDED:
            reference, details = data["refund_id"], {"amount": data["amount"]}
            refunded.add(reference)
        case Outcome.SHIPPED:
            details = {name: data[name] for name in ("carrier", "tracking_number")}
    return mail_of(order, outcome, reference, created_at=event.time, **details)


def why(data: dict[str, Any]) -> dict[str, Any]:
    """Returns why the order was undone. Operators write the reason of a cancellation for the customer to read."""
    code, reason, by = data["reason"]["code"], data["reason"]["reason"], data["cancelled_by"]
    has_message = by == BY_SHOP and reason not in NO_MESSAGE
    return {
        "code": code,
        "reason": "" if by else reason,
        "by_customer": by == BY_CUSTOMER,
        "message": reason if has_message else "",
    }


def money(data: dict[str, Any], refunded: set[str]) -> dict[str, int]:
    """Returns what was charged, and what of it is refunded without a mail of its own."""
    payment = data["payment"]
    others = (each["amount"] for each in payment["refunds"] if each["refund_id"] not in refunded)
    return {"charged": payment["charged"], "refunded": sum(others)}
