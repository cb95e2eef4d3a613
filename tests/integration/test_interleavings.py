"""Any order of delivery between the participants, and any duplicates, lead to the same end."""

from collections import Counter
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.kernel.order import Address
from inventory.models import InventoryRecord, Reservation
from orders.models import Order, SagaStyle
from payments.models import Payment
from sagas.choreography import driver, inventory, orders, payments, shipping
from sagas.choreography.bus import Receiver
from sagas.models import Event, SagaInstance
from shipping.carriers.mock import MockCarrier
from shipping.models import Shipment
from tests.committed import let_reservations_expire
from tests.conftest import available, order_snapshot
from tests.known_bugs import known_bug

PARTICIPANTS = (inventory, payments, shipping, orders)
NAMES = count()

STORIES = {
    "happy": ({}, 5, ("completed", {"captured"}, {"arranged"}, {"confirmed"})),
    "declined": ({"payment_token": "tok_expired_card"}, 5, ("cancelled", {"declined"}, set(), {"released"})),
    "carrier down": ({"address": Address("999-9999")}, 5, ("cancelled", {"refunded"}, {"failed"}, {"released"})),
    "sold out": ({}, 1, ("cancelled", {"cancelled", "refunded"}, {"cancelled"}, set())),
    "both": ({"payment_token": "tok_expired_card"}, 1, ("cancelled", {"declined", "cancelled"}, {"cancelled"}, set())),
}


def receivers_of(participant):
    return [each for each in vars(participant).values() if isinstance(each, Receiver)]


class Participant:
    """One context's inbox: it hears the order's facts in their order, each of its receivers once or more."""

    def __init__(self, module, order_id):
        self.receivers, self.order_id, self.heard = receivers_of(module), order_id, 0

    @property
    def news(self):
        return list(Event.objects.filter(aggregate_id=self.order_id, seq__gt=self.heard).order_by("seq"))

    def hear_next(self, again):
        """Hear the next fact, perhaps after having heard an old one again."""
        if again and self.heard:
            self._tell(Event.objects.get(aggregate_id=self.order_id, seq=1 + again % self.heard))
        self._tell(self.news[0])
        self.heard += 1

    def _tell(self, event):
        for receiver in self.receivers:
            if event.event_type in {fact.event_type for fact in receiver.facts}:
                receiver(Event, event)


def play(order, choices, cancel_at=None):
    """Deliver the order's facts in an order that `choices` decides, until nobody has anything to hear."""
    saga = SagaInstance(saga_type=order.saga_style, order_id=order.order_id, payload=order.as_json())
    driver._create(saga, order)
    participants = [Participant(module, order.order_id) for module in PARTICIPANTS]
    for turn in count():
        ready = [participant for participant in participants if participant.news]
        if cancel_at is not None and (turn == cancel_at or not ready):
            driver._request_cancel(order.order_id, "Changed my mind.", order.customer_id)
            cancel_at = None
        elif not ready:
            return
        else:
            again, who = divmod(choices[turn % len(choices)], 4)
            ready[who % len(ready)].hear_next(again)
            assert_nothing_is_held_once_cancelled(order.order_id)


def assert_nothing_is_held_once_cancelled(order_id):
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
    """An order of two copies of a book of its own."""
    book_id = f"book-{next(NAMES)}"
    return book_id, order_snapshot((book_id, 2), style=SagaStyle.CHOREOGRAPHY, **changes)


orders_of_delivery = st.lists(st.integers(0, 31), min_size=1, max_size=24)
in_the_database = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@known_bug("MassTransit#3791")
@pytest.mark.parametrize("story", STORIES)
@in_the_database
@given(choices=orders_of_delivery)
def test_any_order_of_delivery_leads_to_the_same_end(customer, shelve, story, choices):
    changes, copies, (status, money, parcels, holds) = STORIES[story]
    book_id, order = an_order(changes)
    shelve(book_id, copies)
    play(order, choices)
    end = end_of(order.order_id)
    assert end[0] == status
    assert end[1] <= money and len(end[1]) == 1
    assert end[2] <= parcels
    assert end[3] <= holds
    stock = InventoryRecord.objects.get(pk=book_id)
    assert (stock.on_hand, stock.reserved) == (copies - 2 if status == "completed" else copies, 0)
    saga = SagaInstance.objects.get(order_id=order.order_id)
    assert saga.status == ("COMPLETED" if status == "completed" else "FAILED")
    facts_told = list(Event.objects.filter(aggregate_id=order.order_id).values_list("event_type", flat=True))
    assert len(facts_told) == len(set(facts_told)), "no fact happens twice"


def deliver_thrice(order, chance):
    """Every fact reaches each of its receivers three times, in whatever order."""
    driver._create(SagaInstance(saga_type=order.saga_style, order_id=order.order_id, payload=order.as_json()), order)
    receivers = [receiver for participant in PARTICIPANTS for receiver in receivers_of(participant)]
    delivered = Counter()
    while missing := [
        (receiver, event)
        for event in Event.objects.filter(aggregate_id=order.order_id)
        for receiver in receivers
        if event.event_type in {fact.event_type for fact in receiver.facts} and delivered[receiver, event.pk] < 3
    ]:
        receiver, event = chance.choice(missing)
        receiver(Event, event)
        delivered[receiver, event.pk] += 1
    assert set(delivered.values()) == {3}


@pytest.mark.parametrize("story", STORIES)
@settings(in_the_database, max_examples=15)
@given(chance=st.randoms(use_true_random=False))
def test_every_fact_three_times_and_shuffled_is_every_fact_once(customer, shelve, story, chance):
    changes, copies, (status, money, parcels, holds) = STORIES[story]
    book_id, order = an_order(changes)
    shelve(book_id, copies)
    deliver_thrice(order, chance)
    end = end_of(order.order_id)
    assert end[0] == status and end[1] <= money and end[2] <= parcels and end[3] <= holds
    stock = InventoryRecord.objects.get(pk=book_id)
    assert (stock.on_hand, stock.reserved) == (copies - 2 if status == "completed" else copies, 0)


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


def test_a_hold_that_expires_before_it_is_confirmed_gives_everything_back(shelve, customer, monkeypatch):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2), style=SagaStyle.CHOREOGRAPHY)
    arrange = MockCarrier.arrange

    def arrange_late(self, key, **parcel):
        let_reservations_expire()
        return arrange(self, key, **parcel)

    monkeypatch.setattr(MockCarrier, "arrange", arrange_late)
    driver.start(order)
    assert end_of(order.order_id) == ("cancelled", {"refunded"}, {"cancelled"}, {"released"})
    assert available("book-123") == 5
