"""The sentences that say what has become of an order, and what it still owes."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudmart.kernel.ids import new_id
from orders.models import Order
from payments.models import Payment, Refund
from sagas.admin.order_page.money import money_of
from sagas.admin.order_page.outcome import Holds, OrderState, Tries, outcome_of
from sagas.admin.order_page.settlement import settlement
from sagas.admin.order_page.stock import copies_of
from sagas.models import SagaAction, SagaInstance
from sagas.operations.standing import Standing, standing_of

pytestmark = pytest.mark.any_database

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
SOON, AGO = NOW + timedelta(seconds=41), NOW - timedelta(seconds=41)


def outcome(saga=None, order="cancelled", **more):
    """The outcome of an order in this status; `saga` are the columns of its saga."""
    record = Order(id=new_id(), customer_id="customer-001", status=order, cancel_reason="Words of somebody.")
    instance = SagaInstance(order_id=record.pk, **saga) if saga else None
    standing = standing_of(order, instance, NOW)
    return outcome_of(OrderState(order=record, standing=standing, now=NOW, saga=instance, **more))


def failed(code, **failure):
    return {"status": "FAILED", "failure": {"code": code, "detail": "Details.", **failure}}


def waiting(**columns):
    return {"status": "STOCK_RESERVED", "wake_at": SOON, **columns}


@pytest.mark.parametrize(
    ("saga", "standing", "sentence"),
    [
        ({"status": "COMPLETED"}, "completed", "Completed: paid, sold and handed to the carrier."),
        (
            failed("payment_declined", reason="expired_card"),
            "failed",
            "Failed: the payment was declined, the card has expired.",
        ),
        (failed("payment_declined", reason="odd"), "failed", "Failed: the payment was declined."),
        (failed("payment_unavailable"), "failed", "Failed: the payment gateway could not be reached."),
        (failed("shipping_failed"), "failed", "Failed: the carrier could not be reached."),
        (failed("shipping_failed", reason="not_served"), "failed", "Failed: the carrier refused the parcel."),
        (failed("out_of_stock"), "failed", "Failed: out of stock."),
        (failed("something_new"), "failed", "Failed: something_new."),
        (failed("saga_timed_out"), "timed_out", "Timed out: the order was not finished by its deadline."),
        (failed("order_returned"), "returned", "Returned: the parcel was delivered, and has come back."),
        ({**failed("order_cancelled"), "cancelled_by": "customer-001"}, "cancelled", "Cancelled by the customer."),
        ({**failed("order_cancelled"), "cancelled_by": "anna"}, "cancelled", "Cancelled by an operator, anna."),
        (waiting(), "waiting", "Waiting: attempt 1 is due in 41 s."),
        (waiting(wake_at=AGO, attempts=2), "waiting", "Waiting: attempt 3 is due now."),
        (
            {"status": "COMPENSATION_STARTED", "wake_at": SOON},
            "waiting",
            "Being undone, and waiting: attempt 1 is due in 41 s.",
        ),
        (
            waiting(attention="Look", attempts=5),
            "attention",
            "Needs attention: 5 attempts have failed, the next is due in 41 s.",
        ),
        ({"status": "STOCK_RESERVED", "lease_until": SOON}, "running", "In progress: it has reached STOCK_RESERVED."),
        ({"status": "COMPENSATION_STARTED", "lease_until": SOON}, "undoing", "Being undone."),
    ],
)
def test_every_state_has_a_sentence(saga, standing, sentence):
    found = outcome(saga)
    assert (found.standing, found.sentence) == (standing, sentence)


def test_a_failed_order_looks_different_from_a_cancelled_one():
    cancelled, declined = outcome({**failed("order_cancelled")}), outcome(failed("payment_declined"))
    assert (cancelled.tone, declined.tone) == ("mute", "bad")
    assert cancelled.detail == "Words of somebody."
    assert declined.advice == "Ask the customer for another means of payment, and place the order again."


def test_a_known_reason_of_a_declined_payment_is_said_once():
    assert outcome(failed("payment_declined", reason="expired_card")).detail == ""
    assert outcome(failed("payment_declined", reason="odd")).detail == "Details."


def test_a_failure_names_the_tries_and_the_shortages():
    assert outcome(failed("shipping_failed"), tries=Tries(3, 240.0)).sentence.endswith("reached. 3 tries in 240 ms.")
    shortages = [{"book_id": "book-1", "requested": 2, "available": 0}]
    assert outcome(failed("out_of_stock", shortages=shortages)).detail == "book-1: 2 ordered, 0 available"


def test_an_abandoned_order_says_who_abandoned_it_and_why():
    command = SagaAction(command="abandon", actor="anna")
    found = outcome(waiting(abandoned_at=AGO, attention="By hand"), last_command=command)
    assert found.standing == "abandoned" and found.detail == "By hand"
    assert found.sentence.startswith("Abandoned by anna at ") and found.tone == "wait"


@pytest.mark.parametrize(
    ("holds", "sentence"),
    [
        (Holds(), "Draft: it has no books."),
        (Holds(SOON), "Draft: its books are held until "),
        (Holds(AGO, are_expired=True), "Draft: its reservations expired at "),
    ],
)
def test_a_draft_says_until_when_its_books_are_held(holds, sentence):
    assert outcome(order="draft", holds=holds).sentence.startswith(sentence)


def test_a_completed_order_says_where_its_parcel_is():
    sentences = [
        outcome({"status": "COMPLETED"}, parcel_status=status).sentence for status in ("shipped", "delivered")
    ]
    assert sentences == ["Completed: the carrier has collected the parcel.", "Completed: the customer has the parcel."]


# --- Money and stock ------------------------------------------------------------------------------

RESERVED, SOLD = ("book-1", "StockReserved", 0, 1), ("book-1", "ReservationConfirmed", -1, -1)
RELEASED, PUT_BACK = ("book-1", "ReservationCancelled", 0, -1), ("book-1", "StockReturned", 1, 0)


def payment(status, *refunds):
    """The money of an order of 3850 with a payment in this status, and these (amount, status) refunds."""
    charge = Payment(id=new_id(), amount=3850, status=status, refunded_amount=sum(amount for amount, _ in refunds))
    return money_of(charge, [Refund(id=new_id(), amount=amount, status=to) for amount, to in refunds])


@pytest.mark.parametrize(
    ("standing", "money", "changes", "sentences"),
    [
        (
            "failed",
            payment("refunded", (3850, "refunded")),
            [RESERVED, RELEASED],
            "Charged ¥3,850, refunded ¥3,850. 1 copy is back on the shelf. Nothing is owed.",
        ),
        ("failed", payment("declined"), [], "Nothing was charged. Nothing is owed."),
        (
            "failed",
            payment("captured"),
            [RESERVED, SOLD],
            "Charged ¥3,850. 1 copy is sold. ¥3,850 is owed to the customer. 1 copy is still held.",
        ),
        (
            "cancelled",
            payment("refunding", (3850, "pending")),
            [RESERVED, SOLD, PUT_BACK],
            "Charged ¥3,850. 1 copy is back on the shelf. The refund of ¥3,850 is requested.",
        ),
        (
            "waiting",
            payment("pending"),
            [RESERVED],
            "It is not known yet whether ¥3,850 was charged. 1 copy is reserved.",
        ),
        ("completed", payment("captured"), [RESERVED, SOLD], "Charged ¥3,850. 1 copy is sold. Nothing is owed."),
        (
            "completed",
            payment("captured", (1000, "refunded")),
            [RESERVED, SOLD],
            "Charged ¥3,850, refunded ¥1,000. 1 copy is sold. Nothing is owed.",
        ),
        (
            "completed",
            payment("declined"),
            [],
            "Nothing was charged. ¥3,850 is not charged. 1 copy is not sold as ordered.",
        ),
    ],
)
def test_the_settlement_adds_up_money_and_stock(standing, money, changes, sentences):
    assert " ".join(settlement(Standing(standing), 3850, 1, money, copies_of(changes, {}))) == sentences


def test_refunds_that_the_page_does_not_show_count_too():
    charge = Payment(id=new_id(), amount=3850, status="refunded", refunded_amount=3850)
    money = money_of(charge, [Refund(id=new_id(), amount=50, status="refunded")])
    assert (money.charged, money.refunded, money.net) == (3850, 3850, 0)
