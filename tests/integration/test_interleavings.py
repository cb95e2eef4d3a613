"""Any order of delivery between the participants, any duplicates and any import order lead to the same end."""

import random
from collections import Counter
from itertools import count
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.database.transactions import durable
from cloudmart.kernel.order import Address
from cloudmart.providers.calling import call_provider
from inventory import services as inventory_services
from inventory.models import InventoryRecord, Reservation
from orders import services as order_services
from orders.errors import OrderCancelled, OrderReturned
from orders.models import Order, SagaStyle
from payments.models import Payment
from sagas.choreography.history import History
from sagas.choreography.reactions import REACTIONS
from sagas.choreography.signals import EVENTS, order_cancel_requested, order_created, order_return_requested
from sagas.desk.engine import engine
from sagas.engine.lease import new_saga
from sagas.engine.style import Settled
from sagas.models import Event, SagaInstance
from shipping import services as shipping_services
from shipping.carriers.mock import MockCarrier
from shipping.models import Shipment
from tests import committed
from tests.committed import let_reservations_expire
from tests.conftest import available, order_snapshot
from tests.known_bugs import known_bug
from tests.rounds import rounds

PARTICIPANTS = ("inventory", "payments", "shipping", "orders")
NAMES = count()

STORIES = {
    "happy": ({}, 5, ("completed", {"captured"}, {"arranged"}, {"confirmed"})),
    "declined": ({"payment_token": "tok_expired_card"}, 5, ("cancelled", {"declined"}, {"cancelled"}, {"released"})),
    "carrier down": ({"address": Address("999-9999")}, 5, ("cancelled", {"refunded"}, {"failed"}, {"released"})),
    "sold out": ({}, 1, ("cancelled", {"cancelled", "refunded"}, {"cancelled"}, set())),
    "both": ({"payment_token": "tok_expired_card"}, 1, ("cancelled", {"declined", "cancelled"}, {"cancelled"}, set())),
}


class Saga:
    """A choreographed order whose events are delivered by hand, one reaction at a time."""

    def __init__(self, order):
        self.order, self._saga = order, new_saga(order, "")
        durable(self._open)()

    def _open(self):
        history = History.new(self._saga, self.order)
        order_services.create_order(self.order)
        history.publish(order_created)
        history.save(lambda result: None)

    def events(self, after=0):
        return list(Event.objects.filter(aggregate_id=self.order.order_id, seq__gt=after).order_by("seq"))

    @durable
    def publish(self, event, error):
        history = History.load(self._saga, self.order)
        if not history.is_failing:
            history.publish(event, error)
            history.save(lambda result: None)

    @durable
    def return_order(self):
        """Reopens the completed saga, once its parcel is delivered."""
        shipping_services.mark_as_delivered(self.order.order_id)
        saga = SagaInstance.objects.get(order_id=self.order.order_id)
        history = History.load(saga, self.order)
        history.reopen("operator")
        history.publish(order_return_requested, OrderReturned("Sent back."))
        history.save(lambda result: None)
        self._saga = saga

    def deliver(self, event, reaction):
        """Delivers the event; makes the call that the reaction needs, and settles it."""
        if call := self._deliver(event, reaction):
            self._settle(reaction, Settled(call, call_provider(call.operation, call.intent)))

    @durable
    def _deliver(self, event, reaction):
        history = History.load(self._saga, self.order)
        call = reaction(Event, history.find(event.pk), history)
        history.save(lambda result: None)
        return call

    @durable
    def _settle(self, reaction, settled):
        history = History.load(self._saga, self.order)
        reaction.settle(history, settled)
        history.save(lambda result: None)


class Participant:
    """One context's inbox: it processes the order's events in their order, each once or more."""

    def __init__(self, name, saga):
        self.reactions = [each for each in REACTIONS.values() if each.name.startswith(f"{name}.")]
        self.saga, self.processed = saga, 0

    @property
    def inbox(self):
        return self.saga.events(after=self.processed)

    def process_next(self, again):
        """Processes the next event, perhaps after a duplicate of an earlier one."""
        if again and self.processed:
            self._process(self.saga.events(after=again % self.processed)[0])
        self._process(self.inbox[0])
        self.processed += 1

    def _process(self, event):
        for reaction in self.reactions:
            if EVENTS[event.event_type] in reaction.events:
                self.saga.deliver(event, reaction)


def play(order, choices, cancel_at=None, is_returned=False):
    """Delivers the order's events in an order that `choices` decides, until every inbox is empty."""
    saga = Saga(order)
    participants = [Participant(name, saga) for name in PARTICIPANTS]
    for turn in count():
        ready = [participant for participant in participants if participant.inbox]
        if cancel_at is not None and (turn == cancel_at or not ready):
            saga.publish(order_cancel_requested, OrderCancelled("Changed my mind."))
            cancel_at = None
        elif not ready and is_returned:
            saga.return_order()
            is_returned = False
        elif not ready:
            return
        else:
            again, who = divmod(choices[turn % len(choices)], 4)
            ready[who % len(ready)].process_next(again)
            assert_cancelled_holds_nothing(order.order_id)


def assert_cancelled_holds_nothing(order_id):
    status, money, parcels, holds = end_of(order_id)
    if status == "cancelled":
        assert money and money <= {"declined", "cancelled", "refunded"}
        assert parcels <= {"failed", "cancelled"}
        assert holds <= {"released", "expired"}


def end_of(order_id: UUID):
    return (
        Order.objects.get(pk=order_id).status,
        set(Payment.objects.filter(order_id=order_id).values_list("status", flat=True)),
        set(Shipment.objects.filter(order_id=order_id).values_list("status", flat=True)),
        set(Reservation.objects.filter(order_id=order_id).values_list("status", flat=True)),
    )


def an_order(changes):
    """Returns an order of two copies of a book of its own."""
    book_id = f"book-{next(NAMES)}"
    return book_id, order_snapshot((book_id, 2), style=SagaStyle.CHOREOGRAPHY, **changes)


def assert_ended(order, book_id, story):
    _, copies, (status, money, parcels, holds) = STORIES[story]
    end = end_of(order.order_id)
    assert end[0] == status
    assert end[1] <= money and len(end[1]) == 1
    assert end[2] <= parcels
    assert end[3] <= holds
    stock = InventoryRecord.objects.get(pk=book_id)
    assert (stock.on_hand, stock.reserved) == (copies - 2 if status == "completed" else copies, 0)
    saga = SagaInstance.objects.get(order_id=order.order_id)
    assert saga.status == ("COMPLETED" if status == "completed" else "FAILED")
    published = Event.objects.filter(aggregate_id=order.order_id).exclude(event_type="AttemptFailed")
    events = list(published.values_list("event_type", flat=True))
    assert len(events) == len(set(events)), "no event happens twice"


orders_of_delivery = st.lists(st.integers(0, 31), min_size=1, max_size=24)
in_the_database = settings(
    max_examples=rounds(10, ci=40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@known_bug("MassTransit#3791")
@pytest.mark.parametrize("story", STORIES)
@in_the_database
@given(choices=orders_of_delivery)
def test_any_order_of_delivery_leads_to_the_same_end(customer, shelve, story, choices):
    changes, copies, _ = STORIES[story]
    book_id, order = an_order(changes)
    shelve(book_id, copies)
    play(order, choices)
    assert_ended(order, book_id, story)


def deliver_three_times(order, chance):
    """Delivers every event to each of its reactions three times, in whatever order."""
    saga, delivered = Saga(order), Counter()
    while missing := [
        (reaction, event)
        for event in saga.events()
        for reaction in EVENTS[event.event_type].reactions
        if delivered[reaction, event.pk] < 3
    ]:
        reaction, event = chance.choice(missing)
        saga.deliver(event, reaction)
        delivered[reaction, event.pk] += 1
    assert set(delivered.values()) == {3}


@pytest.mark.parametrize("story", STORIES)
@settings(in_the_database, max_examples=rounds(5, ci=15))
@given(chance=st.randoms(use_true_random=False))
def test_three_shuffled_deliveries_of_every_event_have_the_effect_of_one(customer, shelve, story, chance):
    changes, copies, _ = STORIES[story]
    book_id, order = an_order(changes)
    shelve(book_id, copies)
    deliver_three_times(order, chance)
    assert_ended(order, book_id, story)


@in_the_database
@given(choices=orders_of_delivery, cancel_at=st.integers(0, 24))
def test_a_cancellation_at_any_moment_leaves_nothing_behind(customer, shelve, choices, cancel_at):
    book_id, order = an_order({})
    shelve(book_id, 5)
    play(order, choices, cancel_at)
    status, money, parcels, holds = end_of(order.order_id)
    assert status == "cancelled"
    assert money <= {"refunded", "cancelled"} and parcels <= {"cancelled"} and holds <= {"released"}
    stock = InventoryRecord.objects.get(pk=book_id)
    assert (stock.on_hand, stock.reserved) == (5, 0)


@in_the_database
@given(choices=orders_of_delivery)
def test_any_order_of_delivery_returns_a_delivered_order(customer, shelve, choices):
    book_id, order = an_order({})
    shelve(book_id, 5)
    play(order, choices, is_returned=True)
    assert end_of(order.order_id) == ("returned", {"refunded"}, {"returned"}, {"released"})
    stock = InventoryRecord.objects.get(pk=book_id)
    assert (stock.on_hand, stock.reserved) == (5, 0)
    assert SagaInstance.objects.get(order_id=order.order_id).status == "FAILED"
    events = list(Event.objects.filter(aggregate_id=order.order_id).values_list("event_type", flat=True))
    assert len(events) == len(set(events)) and events[-1] == "OrderReturned"


def test_a_reservation_that_expires_before_it_is_confirmed_undoes_the_order(shelve, customer, monkeypatch):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2), style=SagaStyle.CHOREOGRAPHY)
    arrange = MockCarrier.arrange

    def arrange_late(self, key, **parcel):
        let_reservations_expire()
        return arrange(self, key, **parcel)

    monkeypatch.setattr(MockCarrier, "arrange", arrange_late)
    engine.start(order)
    assert end_of(order.order_id) == ("cancelled", {"refunded"}, {"cancelled"}, {"released"})
    assert available("book-123") == 5


# --- The order of imports -------------------------------------------------------------------------


@pytest.fixture
def imported_in_any_order():
    """Connects all reactions anew, in an order that the seed decides; afterwards as they were."""

    def connect(reactions):
        for event in EVENTS.values():
            for reaction in list(event.reactions):
                event.disconnect(dispatch_uid=reaction.name)
        for reaction in reactions:
            for event in reaction.events:
                event.connect(reaction, weak=False, dispatch_uid=reaction.name)

    original = list(REACTIONS.values())
    yield lambda seed: connect(random.Random(seed).sample(original, len(original)))
    connect(original)


def story_of(order_id):
    """Returns each event with the type of the event that caused it."""
    events = list(Event.objects.filter(aggregate_id=order_id).order_by("seq"))
    types = {event.pk: event.event_type for event in events}
    return [(event.event_type, types.get(event.causation_id)) for event in events]


@pytest.mark.parametrize("story", [*STORIES, "cancelled", "returned"])
def test_the_events_and_their_causes_do_not_depend_on_the_order_of_imports(
    customer, shelve, imported_in_any_order, story
):
    changes, copies, _ = STORIES.get(story, ({}, 5, None))
    stories = set()
    for seed in range(6):
        imported_in_any_order(seed)
        book_id, order = an_order(changes)
        shelve(book_id, copies)
        engine.start(order)
        if story == "cancelled":
            engine.cancel(order.order_id, "Changed my mind.", "customer-001")
        if story == "returned":
            committed.mark_as_delivered(order.order_id)
            engine.return_order(order.order_id, "Sent back.", "operator")
        stories.add(tuple(story_of(order.order_id)))
    (only,) = stories
    if story == "cancelled":
        assert ("PaymentRefunded", "ShippingCancelled") in only, "money goes back after the parcel is cancelled"
    if story == "returned":
        assert ("PaymentRefunded", "ShippingReturned") in only, "money goes back after the parcel has come back"


# --- One transaction, or one for each reaction ----------------------------------------------------


def test_local_reactions_share_a_transaction_and_each_kind_of_row_a_statement(customer, shelve):
    shelve("book-123", 5)
    with CaptureQueriesContext(connection) as queries:
        engine.start(order_snapshot(("book-123", 1), style=SagaStyle.CHOREOGRAPHY))
    statements = [query["sql"].replace('"', "`") for query in queries]
    assert statements.count("COMMIT") == 3
    for table in ("events", "event_receipts"):
        assert sum(sql.startswith(f"INSERT INTO `{table}`") for sql in statements) == 3
    assert sum(sql.startswith("UPDATE `saga_instances`") for sql in statements) == 2


FAILING = {
    "confirm_stock": ({}, ["OrderCreated", "StockReserved", "PaymentCompleted", "ShippingArranged"], "COMPLETED"),
    "release_stock": (
        {"payment_token": "tok_expired_card"},
        ["OrderCreated", "StockReserved", "PaymentFailed", "ShippingCancelled"],
        "FAILED",
    ),
}


@pytest.mark.parametrize("service", FAILING)
def test_a_reaction_that_fails_holds_up_only_itself(customer, shelve, monkeypatch, service):
    """What the provider has said is kept, the other reactions process their events, and only the failing one waits."""

    def fail(*args):
        raise RuntimeError("poison")

    changes, processed, end = FAILING[service]
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2), style=SagaStyle.CHOREOGRAPHY, **changes)
    engine.start(order, should_stop=lambda: True)
    with monkeypatch.context() as broken:
        broken.setattr(inventory_services, service, fail)
        assert engine.recover(SagaInstance.objects.get())
    saga = SagaInstance.objects.get()
    assert (saga.is_finished, saga.attempts, saga.lease_until) == (False, 1, None) and saga.wake_at
    events = Event.objects.filter(aggregate_id=order.order_id).order_by("seq")
    assert [event.event_type for event in events] == processed
    held_up = {"confirm_stock": ["ShippingArranged"], "release_stock": ["PaymentFailed"]}[service]
    assert [event.event_type for event in events.filter(delivered_at=None)] == held_up
    SagaInstance.objects.update(wake_at=None)
    assert engine.recover(saga)
    assert SagaInstance.objects.get().status == end
    assert not events.filter(delivered_at=None).exists()


def test_a_reaction_that_fails_in_the_first_transaction_leaves_nothing_stored(customer, shelve, monkeypatch):
    def fail(*args):
        raise RuntimeError("poison")

    shelve("book-123", 5)
    monkeypatch.setattr(inventory_services, "reserve_stock", fail)
    with pytest.raises(RuntimeError, match="poison"):
        engine.start(order_snapshot(("book-123", 2), style=SagaStyle.CHOREOGRAPHY))
    assert not Order.objects.exists() and not SagaInstance.objects.exists() and not Event.objects.exists()
