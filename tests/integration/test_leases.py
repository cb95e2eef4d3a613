"""Who may drive a saga: one at a time, in both styles, whoever dies or is overtaken."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.order import Address
from cloudmart.providers.remote import OutcomeUnknown, Refused, Unknown
from inventory.models import InventoryRecord
from orders.models import Order, SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment
from sagas.choreography import driver
from sagas.desk.cancelling import cancel_order
from sagas.desk.placing import START
from sagas.engine.lease import claim
from sagas.engine.recovery import due, recover
from sagas.models import Event, EventReceipt, SagaInstance
from sagas.operations.audit.audit import audit
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug

CHOREOGRAPHED = pytest.mark.parametrize("style", [SagaStyle.CHOREOGRAPHY], ids=str, indirect=True)
NO_ROUTE = {"address": Address("999-9999")}
CALLS = {
    "charge": (MockGateway, {}, "completed"),
    "arrange": (MockCarrier, {}, "completed"),
    "refund": (MockGateway, NO_ROUTE, "cancelled"),
}


class Killed(BaseException):
    """The driver is no more; nothing after it is done."""


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture
def order(customer, shelve, style):
    """Takes a function's worth of changes to an order of one of five copies."""
    shelve("book-123", 5)
    return lambda **changes: order_snapshot(("book-123", 1), style=style, **changes)


@pytest.fixture
def during(monkeypatch):
    """The first call of a provider's method does something else first."""

    def during(provider, verb, act):
        original = getattr(provider, verb)

        def call(self, key, **kwargs):
            monkeypatch.setattr(provider, verb, original)
            act()
            return original(self, key, **kwargs)

        monkeypatch.setattr(provider, verb, call)

    return during


def unanswered(self, key, **kwargs):
    raise OutcomeUnknown("no answer")


def die():
    raise Killed


def start(order):
    """The saga as it stands when its first driver has gone."""
    with suppress(Killed):
        START[order.saga_style](order, "")
    return SagaInstance.objects.get(order_id=order.order_id)


def let_lease_run_out():
    SagaInstance.objects.exclude(lease_until=None).update(lease_until=DatabaseNow() - timedelta(seconds=1))


def wake():
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())


def work():
    call_command("run_worker", once=True)


def assert_all_is_well(order, status="completed"):
    """The order has come to its end, once; nobody drives it any more, and the books are right."""
    saga = SagaInstance.objects.get(order_id=order.order_id)
    assert Order.objects.get(pk=order.order_id).status == status
    assert saga.is_finished and (saga.owner, saga.lease_until, saga.wake_at, saga.attention) == ("", None, None, None)
    for diary in (gateway().diary, carrier().diary):
        assert all(len({key for verb, key in diary if verb == done}) <= 1 for done, _ in diary), "a key for each wish"
    assert Payment.objects.count() == 1
    assert InventoryRecord.objects.get().on_hand == (4 if status == "completed" else 5)
    assert [finding for finding in audit(limit=5) if not finding.holds] == []
    assert due(10) == []


def test_the_clock_tells_utc_whatever_the_session_thinks(transactional_db):
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+09:00'")
    saga = SagaInstance.objects.create(saga_type="orchestration", order_id=order_snapshot().order_id, payload={})
    SagaInstance.objects.update(wake_at=DatabaseNow(), lease_until=DatabaseNow() + timedelta(hours=1, microseconds=1))
    saga.refresh_from_db()
    assert abs(saga.wake_at - timezone.now()) < timedelta(minutes=1)
    assert timedelta(hours=1) <= saga.lease_until - saga.wake_at < timedelta(hours=1, minutes=1)
    assert SagaInstance.objects.filter(wake_at__lte=DatabaseNow(), lease_until__gt=DatabaseNow()).exists()
    connection.close()


def test_a_saga_is_leased_while_it_is_driven_and_no_longer(order, during, settings):
    seen = []
    during(MockCarrier, "arrange", lambda: seen.append(SagaInstance.objects.get()))
    placed = order()
    start(placed)
    (saga,) = seen
    assert saga.fence == 1 and saga.owner and saga.lease_until > timezone.now()
    assert_all_is_well(placed)


@known_bug("dbos-transact-java#491", "dbos-transact-py#805")
@pytest.mark.parametrize("verb", CALLS)
def test_what_a_killed_driver_has_left_is_finished_by_a_worker(order, during, verb):
    provider, changes, end = CALLS[verb]
    during(provider, verb, die)
    placed = order(**changes)
    left = start(placed)
    assert not left.is_finished
    work()
    assert SagaInstance.objects.get().updated_at == left.updated_at, "its lease is still running"
    let_lease_run_out()
    work()
    assert_all_is_well(placed, end)
    assert SagaInstance.objects.get().fence == 2


@pytest.mark.parametrize("verb", CALLS)
def test_who_was_overtaken_has_no_effect(order, during, verb):
    provider, changes, end = CALLS[verb]
    seen = []

    def overtake():
        let_lease_run_out()
        work()
        seen.append(state())

    during(provider, verb, overtake)
    placed = order(**changes)
    start(placed)
    assert seen == [state()]
    assert_all_is_well(placed, end)


@pytest.mark.parametrize("verb", CALLS)
def test_a_call_that_outlasts_every_lease_comes_to_its_end(order, monkeypatch, settings, verb):
    """Two workers would else take the saga from each other for ever."""
    settings.LEASE = timedelta(minutes=1)
    provider, changes, end = CALLS[verb]
    original, calls = getattr(provider, verb), []

    def call(self, key, **kwargs):
        calls.append(key)
        assert len(calls) < 5, "nobody comes to an end"
        SagaInstance.objects.update(lease_until=F("lease_until") - timedelta(minutes=3))
        work()
        return original(self, key, **kwargs)

    monkeypatch.setattr(provider, verb, call)
    placed = order(**changes)
    start(placed)
    assert_all_is_well(placed, end)
    assert len(calls) == 3 and len(set(calls)) == 1


def test_a_wish_that_comes_in_mid_call_is_not_slept_over(order, style, monkeypatch, settings):
    """Told facts are told in their order, so that there a wish has to wait until the call before it is settled."""
    settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(hours=1)
    placed = order()

    def wish(self, key, **kwargs):
        cancel_order(placed.order_id, "Changed my mind.")
        unanswered(self, key, **kwargs)

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", wish)
        start(placed)
    assert bool(due(10)) == (style == SagaStyle.ORCHESTRATION)
    if style == SagaStyle.ORCHESTRATION:
        work()
        assert_all_is_well(placed, "cancelled")


@known_bug("medusa PR#15527")
def test_who_was_overtaken_and_then_refused_undoes_nothing(order, monkeypatch):
    """The other has paid, and that stays so."""
    charge, seen = MockGateway.charge, []

    def be_overtaken(self, key, **kwargs):
        monkeypatch.setattr(MockGateway, "charge", charge)
        let_lease_run_out()
        work()
        seen.append(state())
        return Refused(PaymentDeclined("too late", reason="late"))

    monkeypatch.setattr(MockGateway, "charge", be_overtaken)
    placed = order()
    start(placed)
    assert seen == [state()]
    assert_all_is_well(placed)


@pytest.mark.parametrize("silent", [False, True], ids=["answered", "silent"])
def test_who_was_overtaken_leaves_it_to_who_is_still_at_it(order, during, silent):
    """Whether the provider has answered it or not; and it asks no further."""
    seen = []

    def be_overtaken():
        let_lease_run_out()
        assert claim(SagaInstance.objects.get())
        seen.append(state())
        if silent:
            raise OutcomeUnknown("no answer")

    during(MockGateway, "charge", be_overtaken)
    start(order())
    assert seen == [state()]
    assert [verb for verb, _ in gateway().diary] == ([] if silent else ["charge"])


def test_who_was_overtaken_does_not_even_look_up(order, monkeypatch, settings):
    def call(self, key, **kwargs):
        tries.append(key)
        if len(tries) == settings.PROVIDER_TRIES:
            let_lease_run_out()
            assert claim(SagaInstance.objects.get())
        raise OutcomeUnknown("no answer")

    def look_up(self, key):
        tries.append("looked up")

    tries = []
    monkeypatch.setattr(MockGateway, "charge", call)
    monkeypatch.setattr(MockGateway, "lookup", look_up)
    start(order())
    assert len(tries) == settings.PROVIDER_TRIES and "looked up" not in tries


def test_a_lease_is_prolonged_by_every_step_and_try(order, during, monkeypatch):
    left = []

    def look():
        left.append(SagaInstance.objects.get().lease_until)
        SagaInstance.objects.update(lease_until=DatabaseNow() + timedelta(seconds=1))

    def stumble():
        look()
        raise OutcomeUnknown("no answer")

    during(MockCarrier, "arrange", look)
    during(MockGateway, "charge", look)
    during(MockGateway, "charge", stumble)
    placed = order()
    start(placed)
    assert len(left) == 3 and min(left) > timezone.now() + timedelta(seconds=5)
    assert_all_is_well(placed)


def state():
    """Everything that a driver writes."""
    tables = (SagaInstance, Order, Payment, Event)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@known_bug("SQL: no SKIP LOCKED")
def test_one_of_many_gets_the_lease(order, during):
    during(MockGateway, "charge", die)
    start(order())
    let_lease_run_out()
    taken = all_at_once([lambda: claim(SagaInstance.objects.get()) for _ in range(8)])
    assert sorted(taken) == [False] * 7 + [True]
    assert SagaInstance.objects.get().fence == 2


@known_bug("restate#5196")
def test_a_waiting_saga_is_driven_when_its_time_has_come(order, monkeypatch):
    placed = order()
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", unanswered)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        waiting = start(placed)
    assert waiting.wake_at and (waiting.owner, waiting.lease_until) == ("", None)
    assert due(10) == [] and not recover(waiting)
    wake()
    assert due(10) == [waiting]
    call_command("resume_sagas")
    assert_all_is_well(placed)


def test_what_went_wrong_is_forgotten_once_the_saga_has_come_further(order, during):
    """It has waited for its payment, and now it waits for its parcel."""
    during(MockGateway, "charge", die)
    start(order())
    let_lease_run_out()
    SagaInstance.objects.update(attempts=7, attention="look here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockCarrier, "arrange", unanswered)
        work()
    saga = SagaInstance.objects.get()
    assert (saga.status, saga.attempts, saga.attention) == ("PAYMENT_COMPLETED", 1, None)


@known_bug("dbos-transact-py#742", "NServiceBus#2515")
@pytest.mark.parametrize("meanwhile", ["finished", "claimed", "waiting"])
def test_who_goes_by_an_old_list_of_what_is_due_does_nothing(order, during, meanwhile):
    during(MockGateway, "charge", die)
    placed = order()
    start(placed)
    let_lease_run_out()
    (saga,) = due(10)
    with pytest.MonkeyPatch.context() as patch:
        if meanwhile == "waiting":
            patch.setattr(MockGateway, "charge", unanswered)
            patch.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        act = claim if meanwhile == "claimed" else recover
        assert act(SagaInstance.objects.get())
    before, asked = state(), len(gateway().diary)
    assert not recover(saga)
    assert (state(), len(gateway().diary)) == (before, asked)
    let_lease_run_out()
    wake()
    work()
    assert_all_is_well(placed)


@known_bug("dbos-transact-py#260")
def test_who_dies_among_the_tries_of_a_step_is_followed(order, during):
    def stumble():
        raise OutcomeUnknown("no answer")

    during(MockGateway, "charge", die)
    during(MockGateway, "charge", stumble)
    placed = order()
    start(placed)
    let_lease_run_out()
    work()
    assert_all_is_well(placed)


@known_bug("skill-temporal-developer PR#43")
def test_what_a_killed_driver_has_done_without_writing_it_down_is_undone(order, monkeypatch):
    def charge_and_die(self, key, **kwargs):
        charge(self, key, **kwargs)
        die()

    charge = MockGateway.charge
    placed = order()
    with monkeypatch.context() as dying:
        dying.setattr(MockGateway, "charge", charge_and_die)
        start(placed)
    cancel_order(placed.order_id, "Changed my mind.")
    let_lease_run_out()
    work()
    assert [verb for verb, _ in gateway().diary] == ["charge", "cancel"]
    assert Payment.objects.get().status == "cancelled"
    assert_all_is_well(placed, "cancelled")


def test_those_that_are_due_longest_come_first(order):
    for _ in range(3):
        start(order())
    sagas = SagaInstance.objects.order_by("pk")
    for minutes, saga in zip((1, 3, 2), sagas, strict=True):
        long_ago = DatabaseNow() - timedelta(minutes=minutes)
        SagaInstance.objects.filter(pk=saga.pk).update(status="STARTED", wake_at=long_ago)
    assert due(2) == [sagas[1], sagas[2]]


def test_facts_that_a_resting_saga_has_left_untold_are_told(order, during, style):
    placed = order()
    start(placed)
    if style == SagaStyle.CHOREOGRAPHY:
        Event.objects.filter(event_type="StockConfirmed").update(delivered_at=None)
        assert [saga.order_id for saga in due(10)] == [placed.order_id]
    work()
    assert_all_is_well(placed)
    assert not Event.objects.filter(delivered_at=None).exists()


def test_who_cancels_a_completed_order_has_a_lease(order, during):
    placed = order()
    start(placed)
    during(MockGateway, "refund", die)
    with pytest.raises(Killed):
        cancel_order(placed.order_id, "Changed my mind.")
    saga = SagaInstance.objects.get()
    assert saga.fence == 2 and saga.lease_until > timezone.now() and not recover(saga)
    let_lease_run_out()
    work()
    assert_all_is_well(placed, "cancelled")


# --- Facts that come when their teller is about to leave ------------------------------------------


@pytest.fixture
def when_all_is_told(monkeypatch):
    """Something happens just before the teller of a choreographed order looks whether there is anything new."""
    tell = driver.tell

    def when_all_is_told(act):
        def then(*args, **kwargs):
            yield from tell(*args, **kwargs)
            monkeypatch.setattr(driver, "tell", tell)
            act()

        monkeypatch.setattr(driver, "tell", then)

    return when_all_is_told


@known_bug("MassTransit#4990")
@CHOREOGRAPHED
def test_a_wish_that_comes_when_all_is_told_is_told_as_well(order, when_all_is_told):
    placed = order()
    when_all_is_told(lambda: cancel_order(placed.order_id, "Just in time."))
    assert start(placed).status == "FAILED"
    assert_all_is_well(placed, "cancelled")


@CHOREOGRAPHED
def test_who_is_overtaken_when_all_is_told_leaves_the_rest_to_the_other(order, when_all_is_told):
    seen = []

    def be_overtaken():
        let_lease_run_out()
        assert claim(SagaInstance.objects.get())
        seen.append(state())

    placed = order()
    when_all_is_told(be_overtaken)
    start(placed)
    assert seen == [state()]
    let_lease_run_out()
    work()
    assert_all_is_well(placed)


@known_bug("docs.particular.net#1816")
@CHOREOGRAPHED
def test_who_dies_when_all_is_told_but_not_marked_so_has_it_told_again_to_no_effect(order, monkeypatch):
    placed = order()
    with monkeypatch.context() as dying:
        dying.setattr(driver, "mark_told", lambda *args: die())
        start(placed)
    told, asked = list(EventReceipt.objects.order_by("pk").values()), list(gateway().diary)
    untold = Event.objects.filter(delivered_at=None)
    assert untold.count() == 5, "all that anybody listens to"
    let_lease_run_out()
    work()
    assert not untold.exists() and Event.objects.count() == 6
    assert (list(EventReceipt.objects.order_by("pk").values()), list(gateway().diary)) == (told, asked)
    assert_all_is_well(placed)


@CHOREOGRAPHED
def test_a_saga_without_anything_to_tell_that_does_not_rest_is_poison(order):
    placed = order()
    start(placed)
    SagaInstance.objects.update(status="STOCK_RESERVED")
    work()
    saga = SagaInstance.objects.get()
    assert saga.wake_at and saga.attempts == 1 and due(1) == []
