"""A command on one order in the admin: its page, its guard and permission, and what is said of the outcome."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from cloudmart.kernel.ids import new_id
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from inventory.models import StockEvent
from orders.models import Mail, MailStatus, Order, OrderNote, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Refund
from sagas.desk.mails import record_mails
from sagas.models import SagaAction
from sagas.operations.desk_commands import PERMISSIONS, DeskCommand
from shipping.models import Shipment
from tests.acceptance.conftest import end_of
from tests.acceptance.test_matrix import all_but, named, staff_with

pytestmark = pytest.mark.any_database

UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])


@pytest.fixture
def style():
    return SagaStyle.ORCHESTRATION


def fails_with(error):
    def call(*args, **kwargs):
        raise error

    return call


@pytest.fixture
def completed(place, shelve):
    """The id of a completed order."""
    shelve("book-123", 3)
    return place(("book-123", 1)).json()["order_id"]


@pytest.fixture
def abandoned(give, waiting):
    give("abandon", waiting, reason="Paid by bank transfer.")
    return waiting


@pytest.fixture
def delivered(give, completed):
    give("ship", completed)
    give("deliver", completed)
    return completed


@pytest.fixture
def draft(api, shelve):
    """The id of a draft with a book."""
    shelve("book-123", 3)
    draft = api.post("/orders", {}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 2})
    return draft


@pytest.fixture
def unrefunded(place, shelve, monkeypatch):
    """The id of an order that is being undone, and waits for its refund. The gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        return place(("book-123", 1), shipping_address="999-9999").json()["order_id"]


@pytest.fixture
def gateway_is_down(monkeypatch):
    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))


@pytest.fixture
def waiting(place, shelve, monkeypatch):
    """The id of an order that waits for its charge. The gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        return place(("book-123", 1)).json()["order_id"]


def url(command, order_id):
    return reverse("admin:order_command", args=[order_id, command])


@pytest.fixture
def give(site):
    """Confirms a command, and returns the one message (tone, text)."""

    def give(command, order_id, **form):
        page = site.post(url(command, order_id), form, follow=True)
        assert page.status_code == 200
        (message,) = page.context["messages"]
        return message.tags, message.message

    return give


def shown(site, command, order_id):
    page = site.get(url(command, order_id))
    assert page.status_code == 200
    return re.sub(r"\s+", " ", page.content.decode())


def actions():
    return list(SagaAction.objects.order_by("pk").values_list("command", "actor", "reason", "outcome"))


def test_a_cancellation_names_its_consequences_and_then_what_was_refunded(
    site, give, completed, django_assert_max_num_queries
):
    with django_assert_max_num_queries(20):
        page = shown(site, "cancel", completed)
    for sentence in ("Refunds ¥1,100.", "back into stock.", "Calls the parcel off.", "The customer reads the reason"):
        assert sentence in page
    assert end_of(completed)[0] == "completed", "the page does nothing yet"
    answer = give("cancel", completed, reason="Out of print.")
    assert answer == ("success", "Cancelled: everything is undone, and ¥1,100 is refunded.")
    assert end_of(completed) == UNDONE and Order.objects.get().cancel_reason == "Out of print."
    assert actions() == [("cancel", "operator", "Out of print.", "FAILED")]


@pytest.mark.parametrize(
    ("command", "order", "sentence", "readable"),
    [
        ("cancel", "completed", "The customer reads the reason in the mail and in the order.", {"order", "mail"}),
        ("compensate", "waiting", "The customer reads the reason in the mail and in the order.", {"order", "mail"}),
        ("compensate", "unrefunded", "Only operators read the reason.", set()),
        ("cancel", "draft", "The customer can read the reason in the order. There is no mail.", {"order"}),
        ("retry", "waiting", "Only operators read the reason.", set()),
        (
            "abandon",
            "waiting",
            "The customer can read the reason in the status of the order. There is no mail.",
            set(),
        ),
        ("resume", "abandoned", "Only operators read the reason.", set()),
        (
            "return",
            "delivered",
            "The customer can read the reason in the order. The mail does not contain it.",
            {"order"},
        ),
    ],
)
def test_a_confirmation_says_who_reads_the_reason_and_so_it_is(
    site, give, api, request, command, order, sentence, readable
):
    order_id, reason = request.getfixturevalue(order), "The bank is closed."
    page = shown(site, command, order_id)
    assert re.findall(r"(?:Only operators|The customer (?:can )?reads?) [^<]*?(?= *<)", page) == [sentence]
    give(command, order_id, reason=reason)
    assert actions()[-1:] == [] or actions()[-1][2] == reason
    record_mails()
    texts = {"order": api.get(f"/orders/{order_id}").json(), "mail": list(Mail.objects.values_list("data", flat=True))}
    assert {where for where, text in texts.items() if reason in str(text)} == readable
    status = str(api.get(f"/saga/{order_id}/status").json())
    assert (reason in status) == (order != "draft" and sentence.startswith("The customer"))


@pytest.mark.parametrize("style", SagaStyle)
def test_a_cancellation_without_a_reason_is_the_shops_and_names_the_operator_in_the_ledger(give, completed):
    give("cancel", completed)
    assert Order.objects.get().cancel_reason == "The shop has cancelled the order."
    returned = StockEvent.objects.filter(order_id=completed).order_by("pk").last()
    assert (returned.type, returned.actor) == ("StockReturned", "operator")
    record_mails()
    assert not Mail.objects.get(outcome="cancelled").data["by_customer"]


@pytest.mark.parametrize("style", SagaStyle)
def test_a_failed_retry_is_no_success_and_says_when_the_next_attempt_is(give, waiting, gateway_is_down):
    tone, text = give("retry", waiting)
    assert tone == "warning"
    assert re.fullmatch(
        r"Retried: the attempt has failed again \(ProcessPayment: .*no response.*\)\. Next try in \d+ seconds?\.", text
    )


def test_a_retry_that_works_completes_the_order(give, waiting):
    assert give("retry", waiting) == ("success", "Retried: the order is completed.")
    assert end_of(waiting)[0] == "completed"


def test_an_unforeseen_error_in_a_retry_is_a_message(give, waiting, monkeypatch):
    monkeypatch.setattr(MockGateway, "lookup", fails_with(RuntimeError("broken")))
    monkeypatch.setattr(MockGateway, "charge", fails_with(RuntimeError("broken")))
    tone, text = give("retry", waiting)
    assert tone == "warning" and "RuntimeError: see the log" in text
    monkeypatch.setattr("sagas.operations.running.run_command", fails_with(RuntimeError("broken")))
    tone, text = give("cancel", waiting)
    assert tone == "error" and "In the log:" in text


@pytest.mark.parametrize("command", ["retry", "abandon"])
def test_nothing_is_done_to_a_completed_order_and_no_success_is_claimed(site, give, completed, command):
    assert "Not possible now: The order was already completed." in shown(site, command, completed)
    assert give(command, completed, reason="Why not?") == (
        "warning",
        "Nothing to do: The order was already completed.",
    )
    assert actions() == []


def test_a_shipped_order_is_not_cancelled_but_returned_once_it_is_delivered(give, completed):
    assert give("ship", completed) == ("success", "The parcel is marked as shipped.")
    tone, text = give("cancel", completed)
    assert (tone, end_of(completed)[0]) == ("warning", "completed") and "it can only be returned" in text
    assert give("deliver", completed) == ("success", "The parcel is marked as delivered.")
    assert give("return", completed)[0] == "success"
    assert Order.objects.get().status == "returned" and Shipment.objects.get().status == "returned"


def test_an_order_is_abandoned_with_a_reason_and_resumed(site, give, waiting):
    page = site.post(url("abandon", waiting))
    assert page.status_code == 200 and page.context["form"].errors["reason"] and actions() == []
    assert give("abandon", waiting, reason="Paid by bank transfer.")[0] == "success"
    assert give("retry", waiting) == ("warning", "Nothing to do: The order is abandoned: resume or compensate it.")
    assert give("cancel", waiting) == (
        "info",
        "Cancelled: the order is abandoned, and is undone once it is resumed.",
    )
    assert give("resume", waiting) == ("success", "Resumed: everything is undone.")
    assert end_of(waiting) == UNDONE


def test_a_waiting_order_is_compensated_at_once(give, waiting):
    assert give("compensate", waiting) == ("success", "Compensated: everything is undone.")
    assert end_of(waiting) == UNDONE


def test_a_cancellation_whose_refund_fails_is_no_success(give, completed, monkeypatch):
    monkeypatch.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
    tone, text = give("cancel", completed)
    assert tone == "warning" and text.startswith("Cancelled: the attempt has failed again (RefundPayment: ")
    assert not Refund.objects.filter(status="refunded").exists()


def test_an_order_is_ordered_again_and_what_was_not_taken_is_said(site, completed):
    page = site.post(url("order_again", completed), follow=True)
    draft = Order.objects.get(status="draft")
    assert page.redirect_chain[0][0] == reverse("admin:orders_order_change", args=[draft.pk])
    assert draft.items.get().book_id == "book-123" and draft.customer_id == "customer-001"
    (message,) = page.context["messages"]
    assert message.tags == "success"
    draft.items.update(quantity=1)
    site.post(url("cancel", draft.pk))
    assert Order.objects.get(pk=draft.pk).status == "cancelled"


def test_a_mail_is_sent_again_and_a_note_is_added(site, give, completed):
    record_mails()
    mail = Mail.objects.get()
    assert "waiting to be sent" in give("resend", completed)[1]
    Mail.objects.update(status=MailStatus.SENT)
    assert give("resend", completed, mail=str(mail.pk)) == ("success", "A worker sends the mail once more.")
    assert Mail.objects.get().status == MailStatus.PENDING
    assert give("note", completed, text="Called twice.\n No answer.")[0] == "success"
    assert OrderNote.objects.values_list("author", "text").get() == ("operator", "Called twice. No answer.")


def test_a_draft_is_cancelled_and_its_books_released(site, give, draft):
    assert "Releases 2 reserved copies" in shown(site, "cancel", draft)
    assert give("cancel", draft) == ("success", "Cancelled: the books of the draft are released.")
    assert end_of(draft) == UNDONE


def test_each_command_needs_its_own_permission(completed):
    def statuses(user, command, *methods):
        client = Client()
        client.force_login(user)
        return {getattr(client, method)(url(command, completed)).status_code for method in methods}

    for command in DeskCommand:
        needed = PERMISSIONS[command]
        assert statuses(staff_with(*all_but(needed)), command, "get", "post") == {403}
        assert statuses(staff_with(named(needed)), command, "get") == {200}


def test_an_unknown_order_or_command_is_not_found(site, completed):
    assert site.get(url("cancel", new_id())).status_code == 404
    assert site.get(url("explode", completed)).status_code == 404
