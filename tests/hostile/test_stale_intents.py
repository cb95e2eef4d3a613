"""A worker resumes the intent of a direct command whose process died during the provider call."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from cloudmart.providers.unsettled import Found
from orders.models import SagaStyle
from payments import direct as payments
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment, Refund
from sagas.desk.engine import engine
from sagas.operations.stale_intents import KINDS, resume, resume_stale, stale
from shipping import direct as shipping
from shipping.models import Shipment
from tests.acceptance.test_payment_commands import raising
from tests.bookkeeping import differences, findings
from tests.conftest import order_snapshot
from tests.crash.boundaries import Interruption, run
from tests.integration.test_metrics import scraped
from tests.integration.test_races import all_at_once

HERE = Address("150-0001", "1-2-3 Jingumae")


def charge(order_id, **more):
    payments.process(payments.ChargeRequest(order_id, 1000, "credit_card", **more))


def charge_in_doubt(order_id):
    """A charge whose responses were all lost: it can still be voided."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gateway()), "charge", raising(OutcomeUnknown("silence")))
        patch.setattr(type(gateway()), "lookup", lambda self, key: Unknown("nobody knows"))
        charge(order_id)


def arrange(order_id):
    shipping.arrange(shipping.Parcel(order_id, HERE))


COMMANDS = {
    "charge": (lambda order_id: None, charge, "charges", {"captured"}),
    "void": (charge_in_doubt, payments.cancel, "voids", {"cancelled"}),
    "refund": (
        charge,
        lambda order_id: payments.refund(payments.PartialRefund(order_id, 300, "torn-page")),
        "refunds",
        {"captured", "refunded"},
    ),
    "parcel": (lambda order_id: None, arrange, "parcels", {"arranged"}),
    "parcel_cancellation": (arrange, shipping.cancel, "call-offs", {"cancelled"}),
}
"""By kind of intent: what precedes the command, the command, the path that it posts to, and the final statuses."""


def statuses():
    models = (Payment, Refund, Shipment)
    return {status for model in models for status in model.objects.values_list("status", flat=True)}


def let_time_pass():
    for model in (Payment, Refund, Shipment):
        model.objects.update(updated_at=timezone.now() - timedelta(hours=1))


def work():
    call_command("run_worker", "--once")


@pytest.fixture
def order_id(transactional_db):
    """The id of an order without a saga."""
    return new_id()


@pytest.fixture
def empty_ledger(outside):
    with closing(sqlite3.connect(outside.ledger, timeout=30)) as ledger, ledger:
        ledger.execute("DELETE FROM entries")
        ledger.execute("DELETE FROM requests")
    return outside.ledger


@pytest.mark.parametrize("instant", ["before", "after"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_worker_settles_the_intent_of_a_killed_command(empty_ledger, order_id, operator, kind, instant):
    prepare, command, path, ends = COMMANDS[kind]
    prepare(order_id)
    boundary = f"{instant} POST {path}"
    passed = run(lambda: command(order_id), Interruption(4 if instant == "after" else 3))
    assert not passed.survived and passed.passed[-1] == boundary
    let_time_pass()
    assert findings() == {f"{kind}_is_driven": (str(order_id),)}
    assert scraped(operator)["cloudmart_stale_intents"] == {(each.name,): each.name == kind for each in KINDS}
    work()
    assert statuses() == ends and findings() == {}
    assert differences(empty_ledger) == {"only ours": set(), "only theirs": set()}
    assert set(scraped(operator)["cloudmart_unsettled_intents"].values()) == {0}


def test_a_worker_records_a_decline(order_id, monkeypatch, settings):
    settings.PROVIDER_TEXTS = "plain"
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        charge(order_id, payment_token="tok_expired_card")
    let_time_pass()
    work()
    payment = Payment.objects.get()
    assert (payment.status, payment.failure, payment.payment_token) == ("declined", "expired_card", "")


def test_a_worker_does_not_resume_an_intent_before_it_is_stale(order_id, monkeypatch):
    charge_in_doubt(order_id)
    work()
    assert statuses() == {"pending"} and findings() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_a_worker_does_not_resume_the_intent_of_a_running_saga(customer, shelve, monkeypatch, style):
    shelve("book-123", 5)
    monkeypatch.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
    engine.start(order_snapshot(("book-123", 1), style=style))
    let_time_pass()
    assert resume_stale() == 0 and findings() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_a_worker_does_not_resume_an_intent_that_a_saga_resumes_meanwhile(customer, shelve, monkeypatch, style):
    """The saga begins to undo its order between the selection of stale intents and the resumption of this one."""
    shelve("book-123", 5)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        engine.start(order_snapshot(("book-123", 1), style=style))
    let_time_pass()
    payment, kinds = Payment.objects.get(), {kind.name: kind for kind in KINDS}
    gateway().diary.clear()
    assert resume(kinds["charge"], Found(payment.pk, payment.order_id))
    assert not gateway().diary and statuses() == {"pending"}


def test_concurrent_workers_call_the_provider_once(order_id):
    charge_in_doubt(order_id)
    let_time_pass()
    gateway().diary.clear()
    assert sorted(all_at_once([resume_stale] * 4)) == [0, 0, 0, 1]
    assert [method for method, _ in gateway().diary] == ["charge"] and statuses() == {"captured"}


def test_an_intent_that_raises_stops_no_other_and_is_not_retried_at_once(transactional_db, monkeypatch, lines):
    charges = [new_id() for _ in range(3)]
    for each in charges:
        charge_in_doubt(each)
    let_time_pass()
    take = MockGateway.charge

    def poison(self, key, *, order_id, **body):
        if order_id == charges[0]:
            raise RuntimeError("poison")
        return take(self, key, order_id=order_id, **body)

    monkeypatch.setattr(MockGateway, "charge", poison)
    assert (resume_stale(), resume_stale()) == (3, 0)
    assert list(Payment.objects.order_by("pk").values_list("status", flat=True)) == ["pending", "captured", "captured"]
    errors = [line for line in lines() if line["level"] == "error"]
    assert [line["order_id"] for line in errors] == [str(charges[0])]
    assert findings() == {}, "it was tried a short time ago"


def test_an_intent_in_doubt_is_retried_until_it_is_settled(order_id, monkeypatch):
    charge_in_doubt(order_id)
    key = Payment.objects.get().idempotency_key
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        for _ in range(2):
            let_time_pass()
            assert resume_stale() == 1 and statuses() == {"pending"}
    let_time_pass()
    work()
    assert statuses() == {"captured"} and {each for _, each in gateway().diary} == {key}
    assert not any(stale(kind).exists() for kind in KINDS)
