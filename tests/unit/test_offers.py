"""What an operator is offered for an order, why something is not possible, what it would do, and what it has done."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from cloudmart.kernel.ids import new_id
from inventory.models import Reservation
from orders.models import Customer, Mail, Order, OrderItem
from payments.models import Payment
from sagas.models import SagaInstance
from sagas.operations.batches.choosing import Chosen, Selection
from sagas.operations.desk_commands import PERMISSIONS, DeskCommand
from sagas.operations.offers import offer_of, offers
from sagas.operations.records import OrderRecords
from sagas.operations.reports import Report, Result, report_of
from shipping.models import Shipment

pytestmark = pytest.mark.any_database

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=9)
ORDER_ID: UUID = new_id()
CUSTOMER = Customer(id="customer-001", name="田中太郎", email="tanaka@example.com")
EVERYBODY = SimpleNamespace(has_perm=lambda permission: True)


def records(saga=None, order="pending", payment=None, parcel=None, held=None, mail=None):
    """The records of an order for one copy of a book, in these statuses; `saga` are the saga's columns."""
    record = Order(id=ORDER_ID, customer=CUSTOMER, status=order, total=3850)
    record.lines = [OrderItem(order_id=ORDER_ID, book_id="book-123", title="クラウド", quantity=1)]
    return OrderRecords(
        order=record,
        saga=SagaInstance(order_id=ORDER_ID, **saga) if saga else None,
        payment=Payment(order_id=ORDER_ID, status=payment, amount=3850, refunded_amount=0) if payment else None,
        parcel=Shipment(order_id=ORDER_ID, status=parcel) if parcel else None,
        reservations=(Reservation(order_id=ORDER_ID, shelf_id="book-123", quantity=1, status=held),) if held else (),
        mails=(Mail(order_id=ORDER_ID, status=mail),) if mail else (),
        now=NOW,
    )


def completed(**changes):
    usual = {"order": "completed", "payment": "captured", "parcel": "arranged", "held": "confirmed", "mail": "sent"}
    return records({"status": "COMPLETED"}, **{**usual, **changes})


def waiting(status="STOCK_RESERVED", **columns):
    return records({"status": status, **columns}, payment="pending", held="active")


FAILED = records({"status": "FAILED"}, order="cancelled", payment="refunded", parcel="cancelled", held="released")
DRAFT = records(order="draft", held="active")
CANCELLED_DRAFT = records(order="cancelled", held="released")


def enabled(order):
    return {str(offer.command) for offer in offers(order, EVERYBODY) if offer.is_enabled}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (completed(), "cancel order_again ship deliver resend note"),
        (completed(parcel="shipped"), "order_again deliver resend note"),
        (completed(parcel="delivered"), "return order_again resend note"),
        (completed(mail="pending"), "cancel order_again ship deliver note"),
        (waiting(), "cancel retry compensate abandon order_again note"),
        (waiting(lease_until=LATER), "cancel order_again note"),
        (waiting(lease_until=NOW - timedelta(seconds=9)), "cancel retry compensate abandon order_again note"),
        (waiting(cancel_reason="Why?"), "retry compensate abandon order_again note"),
        (waiting(abandoned_at=NOW, attention="Paid."), "cancel compensate resume order_again note"),
        (waiting("COMPENSATION_STARTED"), "retry compensate abandon order_again note"),
        (FAILED, "order_again note"),
        (DRAFT, "cancel note"),
        (CANCELLED_DRAFT, "note"),
    ],
)
def test_what_is_possible_depends_on_the_order_saga_and_parcel(order, expected):
    assert enabled(order) == set(expected.split())


@pytest.mark.parametrize(
    ("command", "order", "why"),
    [
        ("retry", completed(), "The order was already completed."),
        ("abandon", completed(), "The order was already completed."),
        ("retry", FAILED, "The order was already undone."),
        ("cancel", FAILED, "The order was already undone."),
        ("cancel", completed(parcel="shipped"), "The parcel is on its way or delivered: it can only be returned."),
        ("return", completed(), "The parcel is not delivered."),
        ("retry", waiting(abandoned_at=NOW, attention="x"), "The order is abandoned: resume or compensate it."),
        ("retry", waiting(lease_until=LATER), "A worker is driving the order at this moment."),
        ("ship", completed(parcel="shipped"), "The parcel is already shipped."),
        ("ship", waiting(), "The order has no parcel."),
        ("ship", records({"status": "PAYMENT_COMPLETED"}, parcel="arranged"), "The order is not finished."),
        ("return", records({"status": "FAILED"}, parcel="returned"), "The order was already undone."),
        (
            "return",
            records({"status": "COMPENSATION_STARTED", "lease_until": LATER}, parcel="delivered"),
            "A worker is driving the order at this moment.",
        ),
        ("resume", waiting(), "The order is not abandoned."),
    ],
)
def test_an_offer_says_why_it_is_not_possible(command, order, why):
    offer = offer_of(DeskCommand(command), order)
    assert (offer.is_enabled, offer.why_not, offer.consequences) == (False, why, ())


@pytest.mark.parametrize(
    ("command", "order", "consequence"),
    [
        (
            "cancel",
            completed(),
            "Refunds ¥3,850. Puts 1 copy of “クラウド” back into stock. Calls the parcel off. "
            "The customer gets a mail.",
        ),
        (
            "compensate",
            waiting(),
            "Voids the charge of ¥3,850, whose outcome is not known. Releases 1 reserved copy of “クラウド”. "
            "The customer gets a mail.",
        ),
        (
            "retry",
            waiting("COMPENSATION_STARTED"),
            "Voids the charge of ¥3,850, whose outcome is not known. Releases 1 reserved copy of “クラウド”.",
        ),
        (
            "retry",
            records({"status": "COMPENSATION_STARTED"}, payment="refunding"),
            "Repeats the refund that is not confirmed yet.",
        ),
        ("cancel", DRAFT, "Releases 1 reserved copy of “クラウド”. The draft stays on record as a cancelled order."),
        ("resend", completed(), "Sends the mail once more, to tanaka@example.com."),
    ],
)
def test_an_offer_names_its_consequences_with_the_orders_figures(command, order, consequence):
    assert offer_of(DeskCommand(command), order).consequence == consequence


def test_a_late_or_cancelled_saga_is_undone_by_a_retry_and_another_is_continued():
    late = waiting(deadline_at=NOW - timedelta(seconds=1))
    for order, charges in [(waiting(), True), (late, False), (waiting(cancel_reason="Changed my mind."), False)]:
        sentence = offer_of(DeskCommand.RETRY, order).consequence
        assert ("Charges ¥3,850" in sentence) is charges and ("Voids the charge" in sentence) is not charges


@pytest.mark.parametrize(
    ("command", "after", "result", "text"),
    [
        (
            "cancel",
            waiting(attempts=1, wake_at=NOW, cancel_reason="Recalled."),
            "continues",
            "Cancelled: a worker goes on undoing the order.",
        ),
        (
            "retry",
            records({"status": "FAILED", "failure": {"code": "payment_declined", "detail": "Declined."}}),
            "undone",
            "Retried: the order has failed, and everything is undone. Declined.",
        ),
        (
            "compensate",
            records({"status": "FAILED", "failure": {"code": "order_cancelled", "detail": "Recalled."}}),
            "done",
            "Compensated: everything is undone.",
        ),
    ],
)
def test_a_report_says_what_has_become_of_a_waiting_order(command, after, result, text):
    assert report_of(DeskCommand(command), waiting(), after) == Report(Result(result), text)


@pytest.mark.parametrize(
    ("command", "sums"),
    [
        ("retry", ["Refunds ¥3,850 in all.", "Charges up to ¥3,850 in all."]),
        ("compensate", ["Refunds ¥3,850 in all."]),
        ("abandon", []),
    ],
)
def test_the_sums_of_a_batch_are_what_its_command_refunds_and_charges(command, sums):
    undoing = records({"status": "COMPENSATION_STARTED"}, payment="captured")
    included = tuple(Chosen(each, "", "") for each in (waiting(), undoing))
    assert Selection(DeskCommand(command), included, ()).sums == sums


def test_what_a_user_lacks_the_permission_for_is_not_offered():
    support = SimpleNamespace(has_perm=lambda permission: permission in {"sagas.retry_saga", "orders.note_order"})
    assert [str(offer.command) for offer in offers(waiting(), support)] == ["retry", "note"]
    assert set(PERMISSIONS) == set(DeskCommand)


def test_a_draft_is_cancelled_with_the_permission_for_drafts():
    assert offer_of(DeskCommand.CANCEL, DRAFT).permission == "orders.place_order_for_others"
    assert offer_of(DeskCommand.CANCEL, completed()).permission == "sagas.cancel_saga"
