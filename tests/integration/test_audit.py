"""The audit: silent about whatever can happen in the shop, and loud about whatever cannot."""

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
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.models import IdempotencyKey
from cloudmart.providers.remote import OutcomeUnknown, ProviderUnavailable, Unknown
from inventory.models import InventoryRecord, InventoryView, Reservation, StockEvent
from inventory.projector import catch_up
from inventory.stock import StockChange
from inventory.triggers import create_triggers, drop_triggers
from orders.models import Order, OrderItem, SagaStyle
from payments import direct as payments
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund
from sagas.desk.cancelling import cancel_order
from sagas.desk.placing import START
from sagas.engine.recovery import retry_saga
from sagas.models import Event, EventReceipt, SagaInstance, SagaStepLog
from sagas.operations.audit.audit import INVARIANTS, RECONCILIATIONS, audit
from shipping import direct as shipping
from shipping.models import Shipment
from tests import committed
from tests.conftest import order_snapshot

STORIES = {
    "completed": {},
    "declined": {"payment_token": "tok_expired_card"},
    "carrier down": {"address": Address("999-9999")},
}
ORCHESTRATION, CHOREOGRAPHY = SagaStyle
LONG_AGO = timedelta(days=1)


def failing() -> dict[str, tuple[str, ...]]:
    """The invariants that do not hold, with the offenders."""
    return {finding.name: finding.offenders for finding in audit(limit=20) if not finding.holds}


def place(style, *lines, **changes):
    """The id of an order whose saga has gone as far as it can."""
    return START[style](order_snapshot(*lines or [("book-123", 1)], style=style, **changes), "").order_id


@pytest.fixture
def shop(customer, shelve) -> dict[tuple[str, str], str]:
    """Two books, and by style and story the order of each."""
    shelve("book-123", 50)
    shelve("book-456", 50)
    told = {(style, story): place(style, **changes) for style in SagaStyle for story, changes in STORIES.items()}
    for style in SagaStyle:
        told[style, "out of stock"] = place(style, ("book-123", 10), ("book-456", 51))
        told[style, "cancelled"] = place(style, ("book-123", 3), ("book-456", 2))
        cancel_order(told[style, "cancelled"], "Changed my mind.")
    return told


@contextmanager
def down(monkeypatch, verb, error=None):
    """Within, the gateway gives no sure answer to this."""

    def call(self, key, **kwargs):
        raise error or OutcomeUnknown("no answer")

    with monkeypatch.context() as while_down:
        while_down.setattr(MockGateway, verb, call)
        while_down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        yield


@contextmanager
def without_triggers():
    with connection.schema_editor(atomic=False) as editor:
        drop_triggers(None, editor)
    yield
    with connection.schema_editor(atomic=False) as editor:
        create_triggers(None, editor)


# --- What can happen ------------------------------------------------------------------------------


def test_an_empty_shop_has_nothing_to_hide(transactional_db):
    assert failing() == {}


def test_every_story_is_borne_out_by_the_books(shop):
    assert failing() == {}
    assert set(Order.objects.values_list("status", flat=True)) == {"completed", "cancelled"}


@pytest.mark.parametrize("style", SagaStyle)
def test_a_saga_that_waits_is_no_offender_however_long(shop, style, monkeypatch, settings):
    settings.AUDIT_GRACE = timedelta(0)
    with down(monkeypatch, "charge"):
        waiting = place(style)
    with down(monkeypatch, "refund", ProviderUnavailable("down")):
        owing = place(style, address=Address("999-9999"))
    assert failing() == {}
    for order_id in (waiting, owing):
        retry_saga(order_id)
    assert failing() == {}


def test_what_operators_do_to_a_completed_order_is_no_offence(shop):
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
def test_operators_may_hold_other_books_for_an_order(shop, story):
    for style in SagaStyle:
        committed.reserve_stock(order_snapshot(("book-456", 1), order_id=shop[style, story]))
    assert failing() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_that_fails_because_of_anothers_hold_leaves_that_alone(shop, style):
    order = order_snapshot(("book-123", 1), style=style)
    committed.reserve_stock(order_snapshot(("book-123", 3), order_id=order.order_id))
    assert START[style](order, "").status == "FAILED"
    assert failing() == {}


def test_what_another_order_system_does_is_no_offence(shop, monkeypatch):
    for number in range(4):
        order = order_snapshot(("book-123", 2), ("book-456", 1))
        committed.reserve_stock(order)
        payments.process(payments.Charge(order.order_id, 500, "e_money"))
        shipping.arrange(shipping.Parcel(order.order_id, Address("150-0001")))
        if number == 1:
            committed.confirm_stock(order)
        if number == 2:
            committed.release_stock(order, "given up")
            payments.refund(payments.PartialRefund(order.order_id))
    Reservation.objects.filter(order_id=order.order_id).update(expires_at=DatabaseNow() - LONG_AGO)
    assert failing() == {}
    assert committed.expire_reservations(100) == 2
    committed.adjust_stock("book-123", -3, reason="torn", actor="operator")
    with down(monkeypatch, "charge"):
        payments.process(payments.Charge(new_id(), 500, "e_money"))
    assert failing() == {}


def test_a_draft_needs_no_saga(customer):
    draft = Order.objects.create(customer_id="customer-001", status="draft")
    assert failing() == {}
    Order.objects.filter(pk=draft.pk).update(status="pending")
    assert failing() == {"order_has_saga": (str(draft.pk),)}


@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize("verb", ["charge", "refund"])
def test_an_order_that_is_at_work_is_no_offender(shop, style, verb, monkeypatch):
    seen = []
    original = getattr(MockGateway, verb)

    def watched(self, key, **kwargs):
        seen.append(failing())
        return original(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, verb, watched)
    order_id = place(style)
    cancel_order(order_id, "Changed my mind.")
    assert seen == [{}]


# --- What cannot ----------------------------------------------------------------------------------

BREAKAGES: list[tuple[str, Callable]] = []


def breaks(name):
    """Registers a breakage: it breaks this invariant and no other, and returns the offender."""

    def register(breakage):
        BREAKAGES.append((name, breakage))
        return breakage

    return register


def happens(book_id, kind, on_hand, reserved):
    """An event without a cause."""
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


@breaks("shelf_adds_up")
def copies_leave_that_nobody_bought(shop):
    return happens("book-456", "ReservationConfirmed", -1, 0)


@breaks("shelf_adds_up")
def copies_come_back_that_nobody_had_bought(shop):
    return happens("book-456", "StockReturned", 1, 0)


@breaks("reserved_is_held")
def copies_are_reserved_for_nobody(shop):
    return happens("book-123", "StockReserved", 0, 1)


@breaks("ledger_replays")
def a_balance_is_touched_up(shop):
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE stock_events SET on_hand_after = 1 WHERE book_id = 'book-123' AND version = 2")
    return "book-123#2"


@breaks("ledger_replays")
def an_event_is_torn_out(shop):
    happens("book-456", "StockAdjusted", 1, 0)
    last = StockEvent.objects.filter(shelf="book-456").latest("version")
    happens("book-456", "StockAdjusted", -1, 0)
    happens("book-456", "StockAdjusted", 1, 0)
    with without_triggers(), connection.cursor() as cursor:
        for version in (last.version, last.version + 1):
            cursor.execute("DELETE FROM stock_events WHERE book_id = 'book-456' AND version = %s", [version])
    return f"book-456#{last.version + 2}"


@breaks("stock_matches_ledger")
def a_shelf_runs_ahead_of_its_ledger(shop):
    InventoryRecord.objects.filter(pk="book-123").update(version=F("version") + 1)
    return "book-123"


@breaks("stock_matches_ledger")
def a_shelf_falls_behind_its_ledger(shop):
    was = StockEvent.objects.get(shelf="book-456", version=1)
    InventoryRecord.objects.filter(pk="book-456").update(version=1, on_hand=was.on_hand_after)
    return "book-456"


@breaks("read_model_matches_ledger")
def the_read_model_makes_something_up(shop):
    InventoryView.objects.update_or_create(book_id="book-123", defaults={"on_hand": 50, "reserved": 1, "version": 1})
    return "book-123"


@breaks("read_model_matches_ledger")
def the_read_model_cannot_subtract(shop):
    catch_up()
    InventoryView.objects.filter(pk="book-456").update(available=F("available") - 1)
    return "book-456"


@breaks("reservations_match_ledger")
def a_hold_loses_its_beginning(shop):
    event = StockEvent.objects.filter(type="StockReserved").latest("pk")
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE stock_events SET reservation_id = NULL WHERE id = %s", [event.pk])
    return event.reservation_id


@breaks("order_is_its_items")
def a_price_is_changed(shop):
    OrderItem.objects.filter(order=shop[CHOREOGRAPHY, "completed"]).update(unit_price=999)
    return shop[CHOREOGRAPHY, "completed"]


def another(model, order_id, **changes):
    """One more row like the one that the order has."""
    row = model.objects.get(order_id=order_id)
    row.pk, row.active_key, row.idempotency_key = new_id(), None, "another"
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return order_id


@breaks("one_live_charge")
def an_order_is_charged_twice(shop):
    return another(Payment, shop[ORCHESTRATION, "completed"], amount=1)


@breaks("refunds_add_up")
def a_refund_is_not_written_down(shop):
    Payment.objects.filter(order_id=shop[CHOREOGRAPHY, "completed"]).update(refunded_amount=50)
    return shop[CHOREOGRAPHY, "completed"]


@breaks("refunded_is_given_back")
def a_refund_is_still_owed(shop):
    Refund.objects.filter(payment__order_id=shop[CHOREOGRAPHY, "cancelled"]).update(status="pending")
    return shop[CHOREOGRAPHY, "cancelled"]


@breaks("refunded_is_given_back")
def what_was_never_taken_is_given_back(shop):
    payment = Payment.objects.get(order_id=shop[ORCHESTRATION, "declined"])
    Refund.objects.create(payment=payment, amount=5, status="refunded")
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=5)
    return shop[ORCHESTRATION, "declined"]


@breaks("refunded_is_given_back")
def all_of_it_is_asked_back_and_it_stays_captured(shop):
    payments.refund(payments.PartialRefund(shop[ORCHESTRATION, "completed"]))
    Payment.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).update(status="captured")
    return shop[ORCHESTRATION, "completed"]


@breaks("one_live_parcel")
def an_order_is_sent_twice(shop):
    return another(Shipment, shop[CHOREOGRAPHY, "completed"], status="pending")


@breaks("order_has_saga")
def a_saga_gets_lost(shop):
    SagaInstance.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).delete()
    return shop[ORCHESTRATION, "completed"]


@breaks("saga_fits_order")
def an_order_stays_pending_after_all_is_done(shop):
    Order.objects.filter(pk=shop[CHOREOGRAPHY, "completed"]).update(status="pending")
    return shop[CHOREOGRAPHY, "completed"]


@breaks("saga_fits_order")
def an_order_is_complete_although_its_saga_has_failed(shop):
    Order.objects.filter(pk=shop[ORCHESTRATION, "declined"]).update(status="completed")
    return shop[ORCHESTRATION, "declined"]


@breaks("saga_fits_order")
def an_order_gets_lost(shop):
    Order.objects.filter(pk=shop[ORCHESTRATION, "completed"]).delete()
    return shop[ORCHESTRATION, "completed"]


def broken_off(order_id, status):
    """Its saga stands still, and nobody knows."""
    SagaInstance.objects.filter(order_id=order_id).update(status=status, updated_at=DatabaseNow() - LONG_AGO)
    return order_id


@breaks("saga_rests_or_goes_on")
def the_driver_of_a_saga_dies(shop):
    return broken_off(shop[ORCHESTRATION, "completed"], "COMPENSATION_STARTED")


@breaks("saga_rests_or_goes_on")
def the_lease_on_a_saga_runs_out(shop):
    SagaInstance.objects.update(lease_until=DatabaseNow() - LONG_AGO)
    return broken_off(shop[CHOREOGRAPHY, "completed"], "COMPENSATION_STARTED")


@breaks("saga_rests_or_goes_on")
def nobody_wakes_a_waiting_saga(shop):
    SagaInstance.objects.update(wake_at=DatabaseNow() - LONG_AGO)
    return broken_off(shop[ORCHESTRATION, "completed"], "COMPENSATION_STARTED")


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
def a_saga_gives_money_back_and_completes(shop):
    payments.refund(payments.PartialRefund(shop[CHOREOGRAPHY, "completed"], 1, ":saga"))
    return shop[CHOREOGRAPHY, "completed"]


@breaks("completed_is_sent")
def no_carrier_knows_the_parcel(shop):
    Shipment.objects.filter(order_id=shop[CHOREOGRAPHY, "completed"]).update(tracking_number="")
    return shop[CHOREOGRAPHY, "completed"]


@breaks("completed_is_sent")
def the_carrier_has_refused_the_parcel(shop):
    Shipment.objects.filter(order_id=shop[ORCHESTRATION, "completed"]).update(status="failed")
    return shop[ORCHESTRATION, "completed"]


@breaks("cancelled_holds_no_stock")
def stock_is_held_for_a_cancelled_order(shop):
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
    payments.process(payments.Charge(shop[ORCHESTRATION, "out of stock"], 1100, "e_money"))
    return shop[ORCHESTRATION, "out of stock"]


@breaks("cancelled_has_no_parcel")
def a_cancelled_order_is_sent(shop):
    shipping.arrange(shipping.Parcel(shop[ORCHESTRATION, "declined"], Address("150-0001")))
    return shop[ORCHESTRATION, "declined"]


@breaks("log_has_no_gap")
def a_line_of_the_log_is_torn_out(shop):
    saga = SagaInstance.objects.get(order_id=shop[ORCHESTRATION, "completed"])
    SagaStepLog.objects.filter(saga=saga, seq=2).delete()
    return saga.pk


@breaks("facts_have_no_gap")
def the_first_fact_is_forgotten(shop):
    Event.objects.filter(aggregate_id=shop[CHOREOGRAPHY, "completed"], seq=1).delete()
    return shop[CHOREOGRAPHY, "completed"]


@breaks("facts_are_told")
def a_fact_is_not_told(shop):
    order_id = shop[CHOREOGRAPHY, "completed"]
    Event.objects.filter(aggregate_id=order_id, seq=5).update(delivered_at=None)
    broken_off(order_id, "COMPLETED")
    return f"{order_id}#5"


@breaks("facts_are_heard")
def a_receipt_gets_lost(shop):
    fact = Event.objects.get(aggregate_id=shop[CHOREOGRAPHY, "completed"], event_type="OrderCreated")
    EventReceipt.objects.get(event=fact, consumer="payments.charge_when_order_created").delete()
    return f"{fact.aggregate_id}#1"


@breaks("facts_are_told_after_they_happen")
def a_fact_is_delivered_too_early(shop):
    fact = Event.objects.filter(aggregate_id=shop[CHOREOGRAPHY, "completed"], seq=2)
    fact.update(delivered_at=F("timestamp") - timedelta(seconds=1))
    return f"{shop[CHOREOGRAPHY, 'completed']}#2"


@breaks("saga_ends_after_its_steps")
def a_saga_has_finished_too_early(shop):
    saga = SagaInstance.objects.filter(order_id=shop[ORCHESTRATION, "completed"])
    saga.update(finished_at=F("finished_at") - timedelta(hours=1))
    return shop[ORCHESTRATION, "completed"]


@breaks("key_is_answered")
def a_key_is_left_without_an_answer(shop):
    now = DatabaseNow()
    order_id = shop[CHOREOGRAPHY, "completed"]
    IdempotencyKey.objects.create(scope="k", fingerprint="f", order_id=order_id, created_at=now, expires_at=now)
    return "k"


def nobody_asks_again(model, of_order, **columns):
    """The order's payment, refund or parcel is without an outcome, and has been for a day."""
    model.objects.filter(**of_order).update(updated_at=DatabaseNow() - LONG_AGO, **columns)
    return model.objects.get(**of_order)


def a_direct_charge():
    """The id of an order that is not ours, and is charged."""
    order_id = new_id()
    payments.process(payments.Charge(order_id, 500, "e_money"))
    return order_id


def a_direct_parcel():
    order_id = new_id()
    shipping.arrange(shipping.Parcel(order_id, Address("150-0001")))
    return order_id


@breaks("charge_is_driven")
def a_charge_is_forgotten(shop):
    return nobody_asks_again(Payment, {"order_id": a_direct_charge()}, status="pending").order_id


@breaks("void_is_driven")
def a_void_is_forgotten(shop):
    return nobody_asks_again(Payment, {"order_id": a_direct_charge()}, status="cancelling").order_id


@breaks("refund_is_driven")
def a_refund_is_forgotten(shop):
    order_id = a_direct_charge()
    payments.refund(payments.PartialRefund(order_id, 100, "sorry"))
    return nobody_asks_again(Refund, {"payment__order_id": order_id}, status="pending").payment.order_id


@breaks("parcel_is_driven")
def a_parcel_is_forgotten(shop):
    return nobody_asks_again(Shipment, {"order_id": a_direct_parcel()}, status="pending").order_id


@breaks("call_off_is_driven")
def a_call_off_is_forgotten(shop):
    return nobody_asks_again(Shipment, {"order_id": a_direct_parcel()}, status="cancelling").order_id


@pytest.mark.parametrize(
    ("name", "breakage"), BREAKAGES, ids=[f"{name}-{breakage.__name__}" for name, breakage in BREAKAGES]
)
def test_a_breakage_is_found_and_its_offender_named(shop, name, breakage):
    offender = str(breakage(shop))
    assert failing() == {name: (offender,)}


def test_every_invariant_can_be_broken():
    assert {name for name, _ in BREAKAGES} == {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize(
    "alive", [{"updated_at": 0}, {"lease_until": 1}, {"lease_until": 0}, {"wake_at": 1}, {"wake_at": 0}]
)
def test_who_is_still_at_work_is_given_time(shop, alive):
    order_id = the_driver_of_a_saga_dies(shop)
    hours = {name: DatabaseNow() + timedelta(hours=hours) for name, hours in alive.items()}
    SagaInstance.objects.filter(order_id=order_id).update(**hours)
    assert failing() == {}


def test_a_saga_may_be_given_up_for_a_reason(shop):
    order_id = the_driver_of_a_saga_dies(shop)
    given_up = SagaInstance.objects.filter(order_id=order_id)
    with pytest.raises(IntegrityError):
        given_up.update(given_up_at=DatabaseNow())
    given_up.update(given_up_at=DatabaseNow(), attention="The card is closed.")
    assert failing() == {}


# --- The command ----------------------------------------------------------------------------------


def told(*args):
    """What the command prints, line by line, and how it exits."""
    out, exits = StringIO(), 0
    try:
        call_command("audit", *args, stdout=out)
    except CommandError as error:
        exits = error.returncode
    return out.getvalue().splitlines(), exits


def test_the_command_says_what_was_checked(shop):
    lines, exits = told()
    assert exits == 0 and len(lines) == len(INVARIANTS)
    assert all(line.startswith("ok ") for line in lines)
    assert "ok      completed_is_paid: 2 checked" in lines


def test_the_command_fails_and_names_the_offenders(shop):
    order_id = too_little_is_charged(shop)
    lines, exits = told()
    assert exits == 1
    assert [line for line in lines if not line.startswith("ok ")] == [
        f"FAILED  completed_is_paid: 1 offender: {order_id}"
    ]


def test_not_every_offender_is_named(shop):
    Payment.objects.update(amount=F("amount") + 1)
    lines, _ = told("--limit", "1")
    (line,) = (line for line in lines if "completed_is_paid" in line)
    assert line.startswith("FAILED  completed_is_paid: more than 1 offender: ")


def test_the_command_speaks_json(shop):
    order_id = too_little_is_charged(shop)
    lines, exits = told("--json")
    findings = {finding["name"]: finding for finding in map(json.loads, lines)}
    assert exits == 1 and list(findings) == [invariant.name for invariant in INVARIANTS]
    paid = findings["completed_is_paid"]
    assert (paid["checked"], paid["offenders"], paid["more"]) == (2, [str(order_id)], False)
    assert paid["promise"].startswith("The total of a completed order was taken") and paid["seconds"] >= 0
    assert findings["completed_is_sent"]["offenders"] == []


def test_who_reads_everything_may_take_longer_than_a_request(transactional_db):
    usual = connection.settings_dict
    with unlimited_statement_time():
        connection.ensure_connection()
        assert "read_timeout" not in connection.get_connection_params()
    assert connection.settings_dict is usual


def test_the_handbook_has_every_promise():
    handbook = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for each in (*INVARIANTS, *RECONCILIATIONS):
        assert f"| `{each.name}` | {each.promise} |" in handbook
