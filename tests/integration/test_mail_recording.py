"""The mail of an outcome is recorded once, whoever decides the outcome; and who sees it."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from prometheus_client import REGISTRY

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.stopping import never
from cloudmart.outbox.models import OutboxEvent
from cloudmart.providers.calling import begin_operation, nothing, settle_operation
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, Unknown
from orders.models import Mail, Order, SagaStyle
from payments import direct as payments
from payments.gateways.mock import MockGateway
from payments.models import Refund
from sagas.desk import engine as desk_engine
from sagas.desk.cancelling import cancel_order
from sagas.desk.mails import record_mails, send_mails
from sagas.models import SagaInstance
from sagas.operations.stale_intents import resume_stale
from tests.conftest import signed_in
from tests.integration.test_metrics import scraped

STYLES = pytest.mark.parametrize("style", SagaStyle)


@pytest.fixture
def place(api, shelve):
    shelve("book-123", 10)

    def place(style, **more):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
        return api.post("/orders", {**body, **more})

    return place


def mailed(order_id):
    record_mails()
    return list(Mail.objects.filter(order=order_id).order_by("created_at").values_list("outcome", flat=True))


def refund_in_doubt(order_id, operator):
    """Refunds 300 yen, and loses every response."""

    def silence(*args, **kwargs):
        raise OutcomeUnknown("silence")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockGateway, "refund", silence)
        patch.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        body = {"order_id": order_id, "amount": 300}
        assert signed_in(operator).post("/payments/refund", body).status_code == 202


@STYLES
def test_a_refund_is_mailed_by_the_worker_that_settles_it(place, operator, style):
    order_id = place(style).json()["order_id"]
    refund_in_doubt(order_id, operator)
    assert mailed(order_id) == ["completed"], "it is not refunded yet"
    Refund.objects.update(updated_at=DatabaseNow() - timedelta(hours=1))
    assert resume_stale() == 1
    assert mailed(order_id) == ["completed", "refunded"]
    assert Mail.objects.get(outcome="refunded").data["amount"] == 300


@STYLES
def test_a_refund_that_the_orders_saga_settles_is_mailed_with_the_cancellation(place, operator, style):
    order_id = place(style).json()["order_id"]
    refund_in_doubt(order_id, operator)
    cancel_order(order_id, "Changed my mind.")
    assert mailed(order_id) == ["completed", "cancelled"]
    assert Mail.objects.get(outcome="cancelled").data["refunded"] == 1100


@STYLES
def test_a_refund_that_is_settled_by_two_is_mailed_once(place, style):
    order_id = Order.objects.get(pk=place(style).json()["order_id"]).pk
    operation = payments.DirectRefund()
    intent = begin_operation(operation, payments.PartialRefund(order_id, 300), nothing)
    cancel_order(order_id, "Changed my mind.")  # its saga settles the refund too
    settle_operation(operation, intent, Accepted("refund_1"))
    assert mailed(order_id) == ["completed", "cancelled"]


@STYLES
def test_nothing_is_recorded_if_the_outcome_is_not_stored(place, style, monkeypatch):
    store = desk_engine.store_response

    def fail(result):
        raise ZeroDivisionError

    monkeypatch.setattr(desk_engine, "store_response", fail)
    assert place(style).status_code == 500
    assert not OutboxEvent.objects.exists()
    monkeypatch.setattr(desk_engine, "store_response", store)
    SagaInstance.objects.update(lease_until=None, wake_at=None)
    assert desk_engine.engine.recover(SagaInstance.objects.get(), never)
    assert mailed(Order.objects.get().pk) == ["completed"]


@STYLES
@pytest.mark.parametrize("token", ["tok_secret_1234", "tok_expired_card"])
def test_no_payment_token_is_in_a_mail(place, style, mailoutbox, token):
    place(style, payment_token=token)
    send_mails()
    (mail,), (message,) = Mail.objects.values(), mailoutbox
    assert token not in str(mail) and token not in str(message.message())


# --- The admin, and the metrics ---------------------------------------------------------------------


def resend(site, *mails):
    chosen = [str(mail.pk) for mail in mails]
    body = {"action": "resend", "_selected_action": chosen}
    return site.post("/admin/orders/mail/", body, follow=True).content.decode()


def test_an_operator_sees_the_text_and_has_it_sent_again(place, site, mailoutbox):
    order_id = place("orchestration").json()["order_id"]
    send_mails()
    mail = Mail.objects.get()
    page = site.get(f"/admin/orders/mail/{mail.pk}/change/").content.decode()
    assert "ご注文を承りました" in page and order_id in page and "style=" not in page
    order_page = site.get(f"/admin/orders/order/{order_id}/change/").content.decode()
    assert f"/admin/orders/mail/{mail.pk}/change/" in order_page
    assert f"{shown(mail.order_id)}: A worker sends the mail once more." in resend(site, mail)
    assert f"{shown(mail.order_id)}: The mail is waiting to be sent." in resend(site, mail)
    send_mails()
    assert len(mailoutbox) == 2 and LogEntry.objects.get().change_message == "Resent."


def test_at_most_a_hundred_mails_are_resent_at_once(place, site, mailoutbox, monkeypatch):
    monkeypatch.setattr("orders.admin.MOST_AT_ONCE", 1)
    for _ in range(2):
        place("orchestration")
    send_mails()
    assert "Select at most 1 at once." in resend(site, *Mail.objects.all())
    assert set(Mail.objects.values_list("status", flat=True)) == {"sent"}


def test_unsent_mails_are_counted(place, operator):
    for _ in range(3):
        place("orchestration")
    record_mails()
    pks = list(Mail.objects.values_list("pk", flat=True))
    Mail.objects.filter(pk=pks[0]).update(status="failed")
    Mail.objects.filter(pk=pks[1]).update(due_at=DatabaseNow() - timedelta(minutes=1))
    Mail.objects.filter(pk=pks[2]).update(due_at=DatabaseNow() + timedelta(minutes=1))
    families = scraped(operator)
    unsent = families["cloudmart_unsent_mails"]
    assert (unsent["completed", "pending"], unsent["completed", "failed"], unsent["shipped", "failed"]) == (2, 1, 0)
    assert 60 <= families["cloudmart_mail_lag_seconds"][()] < 120
    Mail.objects.update(status="sent")
    assert scraped(operator)["cloudmart_mail_lag_seconds"] == {(): 0}


def test_attempts_are_counted(place, mailoutbox):
    place("orchestration")
    before = attempts()
    send_mails()
    assert attempts() - before == 1


def attempts():
    return REGISTRY.get_sample_value("cloudmart_mail_attempts_total", {"outcome": "completed", "status": "sent"}) or 0
