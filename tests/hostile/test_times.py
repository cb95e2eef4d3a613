"""Stored times are in the order of what happened, whatever the clocks of the machines say."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from sagas.models import Event, SagaInstance
from sagas.operations.audit.records import events_are_delivered_after_they_happen, saga_ends_after_its_steps
from tests.acceptance.test_payment_commands import raising
from tests.clock import application_clock

BY_CLOCKS = pytest.mark.parametrize("fast", [timedelta(0), timedelta(hours=25), -timedelta(hours=25)], ids=str)


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture
def place(api, shelve, style):
    shelve("book-123", 50)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
    return lambda **more: api.post("/orders", {**body, **more})


def assert_in_order():
    for invariant in (events_are_delivered_after_they_happen, saga_ends_after_its_steps):
        finding = invariant.check(5)
        assert finding.holds, finding
    assert not Event.objects.filter(delivered_at=None).exists()
    for saga in SagaInstance.objects.all():
        assert saga.finished_at >= saga.created_at
        last = saga.log.last()
        assert last is None or saga.finished_at >= last.finished


@pytest.mark.parametrize("end", [{}, {"payment_token": "tok_insufficient_funds"}, {"shipping_address": "999-9999 A"}])
def test_deliveries_and_ends_follow_what_caused_them(place, end):
    for _ in range(5):
        place(**end)
    assert_in_order()


def test_times_are_in_order_after_a_cancellation(place, api):
    order_id = place().json()["order_id"]
    api.post(f"/orders/{order_id}/cancel")
    assert_in_order()


@BY_CLOCKS
def test_times_are_in_order_when_a_machine_with_a_wrong_clock_resumes_the_order(place, monkeypatch, fast):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("no response")))
        down.setattr(MockGateway, "lookup", lambda *args: Unknown("unknown"))
        place()
    SagaInstance.objects.update(wake_at=timezone.now())
    with application_clock(fast):
        call_command("run_worker", once=True)
    assert SagaInstance.objects.get().finished_at
    assert_in_order()


def test_the_migration_puts_times_in_order(place):
    place()
    Event.objects.update(delivered_at=F("timestamp") - timedelta(milliseconds=5))
    sagas_with_steps = SagaInstance.objects.filter(saga_type=SagaStyle.ORCHESTRATION)
    sagas_with_steps.update(finished_at=F("finished_at") - timedelta(hours=1))
    with connection.schema_editor() as editor:
        import_module("sagas.migrations.0009_times_in_order").put_in_order(apps, editor)
    assert_in_order()
