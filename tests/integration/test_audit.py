"""The audit: every invariant holds after what can happen in the shop, and finds what cannot."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.models import F

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.options import unlimited_statement_time
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.models import IdempotencyKey
from cloudmart.outbox.models import EventSequence, OutboxEvent
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from cloudmart.webhooks.models import WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.recording import record_test
from cloudmart.webhooks.secrets import new_secret
from inventory.models import InventoryRecord, InventoryView, Reservation, StockEvent, StockMovement, SubShelf
from inventory.projector import catch_up
from inventory.services import split_book
from inventory.stock import StockChange
from inventory.triggers import create_triggers, drop_triggers
from orders.models import Mail, Order, OrderItem, SagaStyle
from orders.price_rules import CouponUse, Discount
from payments import direct as payments
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.desk.mails import record_mails
from sagas.models import Event, EventReceipt, SagaInstance, SagaStepLog
from sagas.operations.audit.audit import INVARIANTS, RECONCILIATIONS, audit
from sagas.operations.audit.events import UPGRADE
from sagas.operations.commands import retry_saga, return_order
from sagas.operations.parcels import mark_as_delivered
from shipping import direct as shipping
from shipping.models import Shipment
from tests import committed
from tests.conftest import order_snapshot
from tests.passing_on import pass_events_on

STORIES = {
    "completed": {},
    "declined": {"payment_token": "tok_expired_card"},
    "carrier down": {"address": Address("999-9999")},
}
ORCHESTRATION, CHOREOGRAPHY = SagaStyle
LONG_AGO = timedelta(days=1)


def failing() -> dict[str, tuple[str, ...]]:
    """Returns the invariants that do not hold, with their offenders."""
    return {finding.name: finding.offenders for finding in audit(limit=20) if not finding.holds}


def place(style, *lines, **changes):
    """Runs the saga of a new order until it is finished or waits, and returns the order's id."""
    return engine.start(order_snapshot(*lines or [("book-123", 1)], style=style, **changes)).order_id


@pytest.fixture
def shop(customer, shelve) -> dict[tuple[str, str], str]:
    """Creates two books and an order of each story in both styles. Returns the orders' ids by style and story."""
    shelve("book-123", 50)
    shelve("book-456", 50)
    orders = {(style, story): place(style, **changes) for style in SagaStyle for story, changes in STORIES.items()}
    for style in SagaStyle:
        orders[style, "out of stock"] = place(style, ("book-123", 10), ("book-456", 51))
        orders[style, "cancelled"] = place(style, ("book-123", 3), ("book-456", 2))
        cancel_order(orders[style, "cancelled"], "Changed my mind.")
        orders[style, "returned"] = place(style, ("book-456", 2))
        mark_as_delivered(orders[style, "returned"])
        return_order(orders[style, "returned"], "Sent back.", "operator")
    return orders


@contextmanager
def down(monkeypatch, method, error=None):
    """Has this method of the gateway fail within the block, and the lookup too."""

    def call(self, key, **kwargs):
        raise error or OutcomeUnknown("no response")

    with monkeypatch.context() as while_down:
        while_down.setattr(MockGateway, method, call)
        while_down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        yield


@contextmanager
def without_triggers():
    with connection.schema_editor(atomic=False) as editor:
        drop_triggers(None, editor)
    yield
    with connection.schema_editor(atomic=False) as editor:
        create_triggers(None, editor)


# --- What can happen ------------------------------------------------------------------------------


def test_every_invariant_holds_in_an_empty_shop(transactional_db):
    assert failing() == {}


def test_every_invariant_holds_after_every_story(shop):
    assert failing() == {}
    assert set(Order.objects.values_list("status", flat=True)) == {"completed", "cancelled", "returned"}


@pytest.mark.parametrize("style", SagaStyle)
def test_a_waiting_saga_breaks_no_invariant(shop, style, monkeypatch, settings):
    settings.AUDIT_GRACE = timedelta(0)
    with down(monkeypatch, "charge"):
        waiting = place(style)
    with down(monkeypatch, "refund", ProviderUnavailable("down")):
        unrefunded = place(style, address=Address("999-9999"))
    pass_events_on()
    assert failing() == {}
    for order_id in (waiting, unrefunded):
        retry_saga(order_id, "The gateway is up again.", "operator")
    pass_events_on()
    assert failing() == {}


def test_operators_may_refund_and_cancel_the_parcel_of_a_completed_order(shop):
    for style in SagaStyle:
        order_id = shop[style, "completed"]
        payments.refund(payments.PartialRefund(order_id, 100, "sorry"))
        shipping.cancel(order_id)
        assert failing() == {}
        payments.refund(payments.PartialRefund(order_id, None, "very sorry"))
        assert failing() == {}
        cancel_order(order_id, "So sorry.")
    assert failing() == {}
    assert set(Payment.objects.filter(order_id__in=shop.values()).values_list("status", flat=True)) == {
        *("declined", "cancelled", "refunded")
    }


@pytest.mark.parametrize("story", ["completed", "declined"])
def test_operators_may_reserve_other_books_for_an_order(shop, story):
    for style in SagaStyle:
        committed.reserve_stock(order_snapshot(("book-456", 1), order_id=shop[style, story]))
    assert failing() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_that_fails_because_of_another_reservation_keeps_that(shop, style):
    order = order_snapshot(("book-123", 1), style=style)
    committed.reserve_stock(order_snapshot(("book-123", 3), order_id=order.order_id))
    assert engine.start(order).status == "FAILED"
    assert failing() == {}


def test_another_order_system_may_reserve_charge_and_ship(shop, monkeypatch):
    for number in range(4):
        order = order_snapshot(("book-123", 2), ("book-456", 1))
        committed.reserve_stock(order)
        payments.process(payments.ChargeRequest(order.order_id, 500, "credit_card"))
        shipping.arrange(shipping.Parcel(order.order_id, Address("150-0001")))
        if number == 1:
            committed.confirm_stock(order)
        if number == 2:
            committed.release_stock(order, "cancelled")
            payments.refund(payments.PartialRefund(order.order_id))
    Reservation.objects.filter(order_id=order.order_id).update(expires_at=DatabaseNow() - LONG_AGO)
    assert failing() == {}
    assert committed.expire_reservations(100) == 2
    committed.adjust_stock("book-123", -3, reason="torn", actor="operator")
    with down(monkeypatch, "charge"):
        payments.process(payments.ChargeRequest(new_id(), 500, "credit_card"))
    assert failing() == {}


def test_a_draft_needs_no_saga(customer):
    draft = Order.objects.create(customer_id="customer-001", status="draft")
    assert failing() == {}
    Order.objects.filter(pk=draft.pk).update(status="pending")
    assert failing() == {"order_has_saga": (str(draft.pk),)}


@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize("method", ["charge", "refund"])
def test_every_invariant_holds_during_a_provider_call(shop, style, method, monkeypatch):
    seen = []
    original = getattr(MockGateway, method)

    def audit_then_call(self, key, **kwargs):
        seen.append(failing())
        return original(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, method, audit_then_call)
    order_id = place(style)
    cancel_order(order_id, "Changed my mind.")
    assert seen == [{}]


# --- What cannot happen -------------------------------------------------------------------------

BREAKAGES: list[tuple[str, Callable]] = []


def breaks(name):
    """Registers a breakage, which breaks this invariant and no other, and returns the offender."""

    def register(breakage):
        BREAKAGES.append((name, breakage))
        return breakage

    return register


def append_stock_event(book_id, kind, on_hand, reserved):
    """Appends an event to the ledger of this book, whatever has happened."""
    shelf = InventoryRecord.objects.get(pk=book_id)
    after = shelf.stock.after(StockChange(kind, on_hand, reserved))
    StockEvent.objects.create(
        shelf=shelf,
        version=after.version,
        type=kind,
        on_hand_delta=on_hand,
        reserved_delta=reserved,
        on_hand_after=after.on_hand,
        reserved_after=after.reserved,
    )
    InventoryRecord.objects.filter(pk=book_id).update(
        on_hand=after.on_hand, reserved=after.reserved, version=after.version
    )
    return book_id


@breaks("sub_shelves_add_up")
def a_sub_shelf_has_a_copy_too_many(shop):
    durable(split_book)("book-456", 4)
    SubShelf.objects.filter(number=1).update(on_hand=F("on_hand") + 1)
    return "book-456"


@breaks("shelf_adds_up")
def copies_are_sold_without_a_reservation(shop):
    return append_stock_event("book-456", "ReservationConfirmed", -1, 0)


@breaks("shelf_adds_up")
def copies_are_returned_that_were_not_sold(shop):
    return append_stock_event("book-456", "StockReturned", 1, 0)


@breaks("reserved_is_held")
def copies_are_reserved_without_a_reservation(shop):
    return append_stock_event("book-123", "StockReserved", 0, 1)


@breaks("ledger_replays")
def a_balance_in_the_ledger_is_changed(shop):
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE stock_events SET on_hand_after = 1 WHERE book_id = 'book-123' AND version = 2")
    return "book-123#2"


@breaks("ledger_replays")
def events_are_deleted_from_the_ledger(shop):
    append_stock_event("book-456", "StockAdjusted", 1, 0)
    last = StockEvent.objects.filter(shelf="book-456").latest("version")
    append_stock_event("book-456", "StockAdjusted", -1, 0)
    append_stock_event("book-456", "StockAdjusted", 1, 0)
    with without_triggers(), connection.cursor() as cursor:
        for version in (last.version, last.version + 1):
            cursor.execute("DELETE FROM stock_events WHERE book_id = 'book-456' AND version = %s", [version])
    return f"book-456#{last.version + 2}"


@breaks("stock_matches_ledger")
def a_shelf_is_ahead_of_its_ledger(shop):
    InventoryRecord.objects.filter(pk="book-123").update(version=F("version") + 1)
    return "book-123"


@breaks("stock_matches_ledger")
def a_shelf_is_behind_its_ledger(shop):
    was = StockEvent.objects.get(shelf="book-456", version=1)
    InventoryRecord.objects.filter(pk="book-456").update(version=1, on_hand=was.on_hand_after)
    return "book-456"


@breaks("read_model_matches_ledger")
def the_read_model_has_wrong_copies(shop):
    catch_up()
    InventoryView.objects.filter(pk="book-123").update(on_hand=F("on_hand") + 1, available=F("available") + 1)
    return "book-123"


@breaks("movements_add_up")
def a_sale_is_counted_twice(shop):
    catch_up()
    StockMovement.objects.filter(book="book-123").update(sold=F("sold") + 1)
    return "book-123"


@breaks("read_model_matches_ledger")
def the_read_model_has_a_wrong_difference(shop):
    catch_up()
    InventoryView.objects.filter(pk="book-456").update(available=F("available") - 1)
    return "book-456"


@breaks("reservations_match_ledger")
def a_reservation_has_no_event(shop):
    event = StockEvent.objects.filter(type="StockReserved").latest("pk")
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE stock_events SET reservation_id = NULL WHERE id = %s", [event.pk])
    return event.reservation_id


@breaks("order_is_its_items")
def the_price_of_an_item_is_changed(shop):
    OrderItem.objects.filter(order=shop[CHOREOGRAPHY, "completed"]).update(unit_price=999)
    return shop[CHOREOGRAPHY, "completed"]


@breaks("coupon_uses_add_up")
def a_use_is_not_counted(shop):
    Discount.objects.create(name="Autumn", code="AUTUMN", percent_off=10, max_uses=5, uses=1)
    return "AUTUMN"


@breaks("counted_use_has_its_order")
def a_cancelled_order_is_still_counted(shop):
    coupon = Discount.objects.create(name="Autumn", code="AUTUMN", percent_off=10, max_uses=5, uses=1)
    order_id = shop[ORCHESTRATION, "declined"]
    Order.objects.filter(pk=order_id).update(coupon="AUTUMN")
    CouponUse.objects.create(order_id=order_id, coupon=coupon)
    return order_id


@breaks("refunds_add_up")
def a_refunded_amount_has_no_refund(shop):
    Payment.objects.filter(order_id=shop[CHOREOGRAPHY, "completed"]).update(refunded_amount=50)
    return shop[CHOREOGRAPHY, "completed"]


@breaks("refunded_is_given_back")
def a_refund_of_a_refunded_payment_is_pending(shop):
    Refund.objects.filter(payment__order_id=shop[CHOREOGRAPHY, "cancelled"]).update(status="pending")
    return shop[CHOREOGRAPHY, "cancelled"]


@breaks("refunded_is_given_back")
def a_declined_payment_is_refunded(shop):
    payment = Payment.objects.get(order_id=shop[ORCHESTRATION, "declined"])
    Refund.objects.create(payment=payment, amount=5, status="refunded")
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=5)
    return shop[ORCHESTRATION, "declined"]


@breaks("refunded_is_given_back")
def a_fully_refunded_payment_stays_captured(shop):
    payments.refund(payments.PartialRefund(shop[ORCHESTRATION, "completed"]))
    Payment.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).update(status="captured")
    return shop[ORCHESTRATION, "completed"]


@breaks("order_has_saga")
def a_saga_is_deleted(shop):
    SagaInstance.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).delete()
    return shop[ORCHESTRATION, "completed"]


@breaks("saga_fits_order")
def an_order_stays_pending_after_its_saga_is_completed(shop):
    Order.objects.filter(pk=shop[CHOREOGRAPHY, "completed"]).update(status="pending")
    return shop[CHOREOGRAPHY, "completed"]


@breaks("saga_fits_order")
def an_order_is_completed_whose_saga_has_failed(shop):
    Order.objects.filter(pk=shop[ORCHESTRATION, "declined"]).update(status="completed")
    return shop[ORCHESTRATION, "declined"]


@breaks("saga_fits_order")
def an_order_is_deleted(shop):
    Order.objects.filter(pk=shop[ORCHESTRATION, "completed"]).delete()
    return shop[ORCHESTRATION, "completed"]


def interrupted(order_id, status):
    """Sets the saga's status, and a day in which nobody has driven it. Returns the order's id."""
    SagaInstance.objects.filter(order_id=order_id).update(status=status, updated_at=DatabaseNow() - LONG_AGO)
    return order_id


@breaks("saga_is_finished_or_driven")
def the_driver_of_a_saga_has_died(shop):
    return interrupted(shop[ORCHESTRATION, "completed"], "COMPENSATION_STARTED")


@breaks("saga_is_finished_or_driven")
def the_lease_of_a_saga_has_expired(shop):
    SagaInstance.objects.update(lease_until=DatabaseNow() - LONG_AGO)
    return interrupted(shop[CHOREOGRAPHY, "completed"], "COMPENSATION_STARTED")


@breaks("saga_is_finished_or_driven")
def no_worker_resumes_a_waiting_saga(shop):
    SagaInstance.objects.update(wake_at=DatabaseNow() - LONG_AGO)
    return interrupted(shop[ORCHESTRATION, "completed"], "COMPENSATION_STARTED")


@breaks("completed_is_sold")
def another_book_is_sold(shop):
    OrderItem.objects.filter(order=shop[ORCHESTRATION, "completed"]).update(book_id="book-456")
    return shop[ORCHESTRATION, "completed"]


@breaks("completed_is_sold")
def fewer_copies_are_sold(shop):
    OrderItem.objects.filter(order=shop[CHOREOGRAPHY, "completed"]).update(quantity=2, unit_price=500)
    return shop[CHOREOGRAPHY, "completed"]


@breaks("completed_is_sold")
def more_books_are_sold(shop):
    order_id = place(CHOREOGRAPHY, ("book-123", 1), ("book-456", 1))
    OrderItem.objects.get(order=order_id, book_id="book-456").delete()
    OrderItem.objects.filter(order=order_id).update(unit_price=2000)
    return order_id


@breaks("completed_is_paid")
def too_little_is_charged(shop):
    Payment.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).update(amount=1099)
    return shop[ORCHESTRATION, "completed"]


@breaks("completed_is_paid")
def a_saga_refunds_and_completes(shop):
    payments.refund(payments.PartialRefund(shop[CHOREOGRAPHY, "completed"], 1, ":saga"))
    return shop[CHOREOGRAPHY, "completed"]


@breaks("completed_is_sent")
def the_parcel_has_no_tracking_number(shop):
    Shipment.objects.filter(order_id=shop[CHOREOGRAPHY, "completed"]).update(tracking_number="")
    return shop[CHOREOGRAPHY, "completed"]


@breaks("completed_is_sent")
def the_carrier_has_refused_the_parcel(shop):
    Shipment.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).update(status="failed")
    return shop[ORCHESTRATION, "completed"]


@breaks("cancelled_holds_no_stock")
def stock_is_reserved_for_a_cancelled_order(shop):
    committed.reserve_stock(order_snapshot(("book-123", 10), order_id=shop[ORCHESTRATION, "out of stock"]))
    return shop[ORCHESTRATION, "out of stock"]


@breaks("cancelled_holds_no_stock")
def stock_is_sold_to_a_cancelled_order(shop):
    order = order_snapshot(("book-456", 1), order_id=shop[CHOREOGRAPHY, "declined"])
    committed.reserve_stock(order)
    committed.confirm_stock(order)
    return order.order_id


@breaks("cancelled_holds_no_money")
def a_cancelled_order_is_charged(shop):
    payments.process(payments.ChargeRequest(shop[ORCHESTRATION, "out of stock"], 1100, "credit_card"))
    return shop[ORCHESTRATION, "out of stock"]


@breaks("cancelled_has_no_parcel")
def a_cancelled_order_is_shipped(shop):
    shipping.arrange(shipping.Parcel(shop[ORCHESTRATION, "declined"], Address("150-0001")))
    return shop[ORCHESTRATION, "declined"]


@breaks("cancelled_holds_no_money")
def a_returned_order_is_not_refunded(shop):
    payment = Payment.objects.filter(order_id=shop[ORCHESTRATION, "returned"])
    Refund.objects.filter(payment__in=payment).delete()
    payment.update(status="captured", refunded_amount=0)
    return shop[ORCHESTRATION, "returned"]


@breaks("returned_was_delivered")
def the_parcel_of_a_returned_order_was_cancelled(shop):
    Shipment.objects.filter(order_id=shop[CHOREOGRAPHY, "returned"]).update(status="cancelled")
    return shop[CHOREOGRAPHY, "returned"]


@breaks("log_has_no_gap")
def a_line_of_the_log_is_deleted(shop):
    saga = SagaInstance.objects.get(order_id=shop[ORCHESTRATION, "completed"])
    SagaStepLog.objects.filter(saga=saga, seq=2).delete()
    return saga.pk


@breaks("events_have_no_gap")
def the_first_event_is_deleted(shop):
    Event.objects.filter(aggregate_id=shop[CHOREOGRAPHY, "completed"], seq=1).delete()
    return shop[CHOREOGRAPHY, "completed"]


@breaks("events_are_delivered")
def an_event_is_not_delivered(shop):
    order_id = shop[CHOREOGRAPHY, "completed"]
    Event.objects.filter(aggregate_id=order_id, seq=5).update(delivered_at=None)
    interrupted(order_id, "COMPLETED")
    return f"{order_id}#5"


@breaks("events_have_receipts")
def a_receipt_is_deleted(shop):
    event = Event.objects.get(aggregate_id=shop[CHOREOGRAPHY, "completed"], event_type="OrderCreated")
    EventReceipt.objects.get(event=event, consumer="payments.charge_when_order_created").delete()
    return f"{event.aggregate_id}#1"


@breaks("events_are_delivered_after_they_happen")
def an_event_is_delivered_before_it_happens(shop):
    event = Event.objects.filter(aggregate_id=shop[CHOREOGRAPHY, "completed"], seq=2)
    event.update(delivered_at=F("timestamp") - timedelta(seconds=1))
    return f"{shop[CHOREOGRAPHY, 'completed']}#2"


@breaks("saga_ends_after_its_steps")
def a_saga_finishes_before_its_last_step(shop):
    saga = SagaInstance.objects.filter(order_id=shop[ORCHESTRATION, "completed"])
    saga.update(finished_at=F("finished_at") - timedelta(hours=1))
    return shop[ORCHESTRATION, "completed"]


@breaks("key_has_response")
def a_key_has_no_response(shop):
    now = DatabaseNow()
    order_id = shop[CHOREOGRAPHY, "completed"]
    IdempotencyKey.objects.create(scope="k", fingerprint="f", order_id=order_id, created_at=now, expires_at=now)
    return "k"


@breaks("finished_has_its_mail")
def a_finished_order_has_no_mail(shop):
    record_mails()
    order_id = shop[CHOREOGRAPHY, "declined"]
    Mail.objects.filter(order=order_id).delete()
    Mail.objects.filter(order=shop[ORCHESTRATION, "completed"]).update(created_at=DatabaseNow() - LONG_AGO)
    return order_id


@breaks("finished_has_its_mail")
def a_failed_order_has_the_mail_of_a_completed_one(shop):
    record_mails()
    order_id = shop[ORCHESTRATION, "declined"]
    Mail.objects.filter(order=order_id).update(outcome="completed", created_at=DatabaseNow() - LONG_AGO)
    return order_id


@breaks("mail_is_tried")
def a_mail_is_due_for_long(shop):
    record_mails()
    order_id = shop[ORCHESTRATION, "completed"]
    Mail.objects.filter(order=order_id).update(due_at=DatabaseNow() - LONG_AGO)
    return order_id


@breaks("events_are_passed_on")
def an_event_is_not_passed_on_for_long(shop):
    order_id = shop[CHOREOGRAPHY, "completed"]
    OutboxEvent.objects.filter(subject=str(order_id)).update(time=DatabaseNow() - LONG_AGO)
    return f"{order_id}#1"


@breaks("sequence_counts_events")
def a_sequence_is_behind_its_events(shop):
    order_id = shop[CHOREOGRAPHY, "cancelled"]
    EventSequence.objects.filter(subject=f"order:{order_id}").update(latest=2)
    return f"{order_id}#3"


@breaks("finished_has_its_event")
def a_finished_order_has_no_event(shop):
    order_id = shop[ORCHESTRATION, "returned"]
    EventSequence.objects.filter(subject=f"order:{order_id}").delete()
    OutboxEvent.objects.filter(subject=str(order_id)).delete()
    SagaInstance.objects.filter(order_id=order_id).update(finished_at=DatabaseNow() + 2 * UPGRADE)
    return order_id


@breaks("webhook_is_tried")
def a_webhook_is_due_for_long(shop):
    endpoint = WebhookEndpoint.objects.create(url="http://a.test/", secret=new_secret())
    delivery = record_test(endpoint)
    for model in (WebhookEndpoint, WebhookDelivery):
        model.objects.update(due_at=DatabaseNow() - LONG_AGO)
    return delivery.pk


def neglect(model, of_order, **columns):
    """Sets the columns of the order's payment, refund or parcel, as of a day ago, and returns it."""
    model.objects.filter(**of_order).update(updated_at=DatabaseNow() - LONG_AGO, **columns)
    return model.objects.get(**of_order)


def charge_directly():
    """Charges an order of another system, and returns its id."""
    order_id = new_id()
    payments.process(payments.ChargeRequest(order_id, 500, "credit_card"))
    return order_id


def ship_directly():
    """Arranges a parcel of another system's order, and returns the order's id."""
    order_id = new_id()
    shipping.arrange(shipping.Parcel(order_id, Address("150-0001")))
    return order_id


@breaks("charge_is_driven")
def a_charge_stays_pending(shop):
    return neglect(Payment, {"order_id": charge_directly()}, status="pending").order_id


@breaks("void_is_driven")
def a_void_stays_pending(shop):
    return neglect(Payment, {"order_id": charge_directly()}, status="cancelling").order_id


@breaks("refund_is_driven")
def a_refund_stays_pending(shop):
    order_id = charge_directly()
    payments.refund(payments.PartialRefund(order_id, 100, "sorry"))
    return neglect(Refund, {"payment__order_id": order_id}, status="pending").payment.order_id


@breaks("parcel_is_driven")
def a_parcel_stays_pending(shop):
    return neglect(Shipment, {"order_id": ship_directly()}, status="pending").order_id


@breaks("parcel_cancellation_is_driven")
def a_parcel_cancellation_stays_pending(shop):
    return neglect(Shipment, {"order_id": ship_directly()}, status="cancelling").order_id


@pytest.mark.parametrize(
    ("name", "breakage"), BREAKAGES, ids=[f"{name}-{breakage.__name__}" for name, breakage in BREAKAGES]
)
def test_a_breakage_is_found_and_its_offender_is_named(shop, name, breakage):
    offender = str(breakage(shop))
    assert failing() == {name: (offender,)}


@pytest.mark.parametrize("model", [Payment, Shipment])
def test_the_database_refuses_a_second_record_of_an_order(shop, model):
    record = model.objects.get(order_id=shop[ORCHESTRATION, "completed"])
    record.pk, record.idempotency_key = new_id(), "another"
    with pytest.raises(IntegrityError):
        record.save(force_insert=True)


def test_every_invariant_can_be_broken():
    assert {name for name, _ in BREAKAGES} == {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize(
    "alive", [{"updated_at": 0}, {"lease_until": 1}, {"lease_until": 0}, {"wake_at": 1}, {"wake_at": 0}]
)
def test_a_recently_driven_saga_breaks_no_invariant(shop, alive):
    order_id = the_driver_of_a_saga_has_died(shop)
    hours = {name: DatabaseNow() + timedelta(hours=hours) for name, hours in alive.items()}
    SagaInstance.objects.filter(order_id=order_id).update(**hours)
    assert failing() == {}


def test_a_saga_may_be_abandoned_with_a_reason(shop):
    order_id = the_driver_of_a_saga_has_died(shop)
    saga = SagaInstance.objects.filter(order_id=order_id)
    with pytest.raises(IntegrityError):
        saga.update(abandoned_at=DatabaseNow())
    saga.update(abandoned_at=DatabaseNow(), attention="The card is closed.")
    assert failing() == {}


# --- The command ----------------------------------------------------------------------------------


def run_audit(*args):
    """Runs the command. Returns the lines of its output and its exit code."""
    out, exit_code = StringIO(), 0
    try:
        call_command("audit", *args, stdout=out)
    except CommandError as error:
        exit_code = error.returncode
    return out.getvalue().splitlines(), exit_code


def test_the_command_prints_a_line_per_invariant(shop):
    lines, exit_code = run_audit()
    assert exit_code == 0 and len(lines) == len(INVARIANTS)
    assert all(line.startswith("ok ") for line in lines)
    assert "ok      completed_is_paid: 2 checked" in lines


def test_the_command_names_the_offenders_and_exits_with_1(shop):
    order_id = too_little_is_charged(shop)
    lines, exit_code = run_audit()
    assert exit_code == 1
    assert [line for line in lines if not line.startswith("ok ")] == [
        f"FAILED  completed_is_paid: 1 offender: {order_id}"
    ]


def test_the_number_of_named_offenders_is_limited(shop):
    Payment.objects.update(amount=F("amount") + 1)
    lines, _ = run_audit("--limit", "1")
    (line,) = (line for line in lines if "completed_is_paid" in line)
    assert line.startswith("FAILED  completed_is_paid: more than 1 offender: ")


def test_the_command_prints_json(shop):
    order_id = too_little_is_charged(shop)
    lines, exit_code = run_audit("--json")
    findings = {finding["name"]: finding for finding in map(json.loads, lines)}
    assert exit_code == 1 and list(findings) == [invariant.name for invariant in INVARIANTS]
    paid = findings["completed_is_paid"]
    assert (paid["checked"], paid["offenders"], paid["more"]) == (2, [str(order_id)], False)
    assert paid["promise"].startswith("The total of a completed order is captured") and paid["seconds"] >= 0
    assert findings["completed_is_sent"]["offenders"] == []


def test_the_statements_of_the_audit_have_no_time_limit(transactional_db):
    usual = connection.settings_dict
    with unlimited_statement_time():
        connection.ensure_connection()
        assert "read_timeout" not in connection.get_connection_params()
    assert connection.settings_dict is usual


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases choose the plan by the number of rows")
def test_the_events_that_wait_for_the_mail_are_read_once_and_not_for_each_order(transactional_db):
    (invariant,) = [each for each in INVARIANTS if each.name == "finished_has_its_mail"]
    assert "LIST SUBQUERY" in invariant.breaking(invariant.rows).explain()


def test_the_documentation_lists_every_invariant():
    documentation = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for each in (*INVARIANTS, *RECONCILIATIONS):
        assert f"| `{each.name}` | {each.promise} |" in documentation
