"""Sending mails to a real mail server: once each, whatever the server, the workers and the addresses do."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.mail.backends.smtp import EmailBackend
from django.core.management import call_command
from django.db import OperationalError
from django.test import override_settings

from cloudmart.database.clock import DatabaseNow, database_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import IllegalMove
from orders.mails import sending
from orders.mails.queue import acquire, conclude, delete_old, due, postpone, resend
from orders.mails.recording import mail_of, record
from orders.mails.sending import send_due
from orders.models import Customer, Mail, Order, Outcome
from tests.conftest import available, send_mails_to
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once
from tests.mail_server import running_mail_server
from tests.processes import free_port, running_command, wait_until
from tests.rounds import rounds


@pytest.fixture(autouse=True)
def no_waits(settings, mailbox):
    settings.MAIL_BACKOFF = settings.MAIL_MAX_BACKOFF = timedelta(hours=1)


@pytest.fixture
def customer(transactional_db):
    return CustomerFactory(id="customer-001", email="tanaka@example.com")


@durable
def record_mail(order, outcome, reference="", **details):
    record([mail_of(order, outcome, reference, created_at=database_now(), **details)])


def new_order(customer):
    return Order.objects.create(customer=customer, region="JP")


@pytest.fixture
def mails(customer):
    """Records the mails of so many orders of different customers, and returns them in the order of their customers."""

    def mails(number):
        customers = [customer, *(CustomerFactory(email=f"c{n}@example.com") for n in range(1, number))]
        for each in customers:
            record_mail(new_order(each), Outcome.COMPLETED)
        return [Mail.objects.get(order__customer=each) for each in customers]

    return mails


def make_due():
    Mail.objects.filter(status="pending").update(due_at=DatabaseNow() - timedelta(seconds=1))


def statuses():
    return sorted(Mail.objects.values_list("status", flat=True))


def only_mail():
    return Mail.objects.get()


# --- The mail server ------------------------------------------------------------------------------


def test_a_batch_is_sent_over_one_connection(mails, mailbox):
    recorded = mails(5)
    assert send_due() == 5 and send_due() == 0
    assert mailbox.connections == 1
    assert sorted(message["To"] for message in mailbox.messages) == sorted(
        mail.order.customer.email for mail in recorded
    )


def test_mails_are_sent_once_the_mail_server_is_up(mails, settings, mailbox):
    mails(3)
    send_mails_to(port := free_port(), settings)
    assert send_due() == 3
    assert statuses() == ["pending"] * 3 and send_due() == 0, "they wait"
    assert all("ConnectionRefusedError" in mail.error and mail.attempts == 1 for mail in Mail.objects.all())
    with running_mail_server(mailbox, port):
        make_due()
        assert send_due() == 3
    assert statuses() == ["sent"] * 3 and len(mailbox.messages) == 3
    assert {mail.error for mail in Mail.objects.all()} == {""}


@pytest.mark.parametrize(("code", "status"), [("450 Mailbox busy", "pending"), ("550 No such user", "failed")])
@pytest.mark.parametrize("when", ["to_recipient", "to_data"])
def test_a_refusal_concerns_one_mail(mails, mailbox, code, status, when):
    refused = mails(4)[1]
    setattr(mailbox, when, lambda recipient: code if recipient == "c1@example.com" else None)
    assert send_due() == 4 and send_due() == 0
    refused.refresh_from_db()
    assert (refused.status, refused.error, refused.attempts) == (status, code, 1)
    assert statuses() == sorted([status, *["sent"] * 3])
    assert mailbox.connections == 1, "the connection is as good as before"
    mailbox.reset()
    make_due()
    assert send_due() == (status == "pending")
    assert len(mailbox.to("c1@example.com")) == (status == "pending")


def test_a_sender_that_is_refused_fails_no_mail(mails, mailbox):
    """That is a fault of our settings, which are corrected."""
    mails(2)
    mailbox.to_sender = lambda sender: "550 Not from here"
    assert send_due() == 2
    assert {(mail.status, mail.error) for mail in Mail.objects.all()} == {("pending", "550 Not from here")}
    mailbox.reset()
    make_due()
    assert send_due() == 2 and statuses() == ["sent"] * 2


@pytest.mark.parametrize("email", ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"])
def test_an_address_that_is_none_is_not_tried_again(mails, mailbox, email):
    Customer.objects.filter(pk=mails(2)[0].order.customer_id).update(email=email)
    assert send_due() == 2
    assert statuses() == ["failed", "sent"]
    assert [message["To"] for message in mailbox.messages] == ["c1@example.com"]


def test_a_mail_server_that_hangs_costs_one_timeout_for_a_batch(mails, mailbox):
    mailbox.hangs = True
    mails(5)
    with override_settings(EMAIL_TIMEOUT=0.5):
        assert send_due() == 5
    assert statuses() == ["pending"] * 5 and mailbox.connections == 1
    mailbox.hangs = False
    make_due()
    assert send_due() == 5 and statuses() == ["sent"] * 5


def test_a_connection_that_is_closed_after_some_mails_is_opened_again(mails, mailbox):
    count = 0

    def closes_after_two(recipient):
        nonlocal count
        count += 1
        return "421 Too many messages" if count % 3 == 0 else None

    mailbox.to_recipient = closes_after_two
    mails(5)
    assert send_due() == 5
    assert statuses() == ["pending", *["sent"] * 4] and mailbox.connections == 2


def test_a_connection_that_has_refused_a_mail_worked_and_is_opened_again(mails, mailbox):
    replies = iter(["550 No such user", "421 Too many errors"])
    mailbox.to_recipient = lambda recipient: next(replies, None)
    mails(3)
    assert send_due() == 3
    assert statuses() == ["failed", "pending", "sent"] and mailbox.connections == 2


def test_a_mail_server_that_goes_away_is_asked_once_more(mails, mailbox, monkeypatch):
    """Opening a connection may take a timeout, so the rest of the batch waits."""
    opened = []

    def open_once(backend):
        if backend.connection is None:
            opened.append(backend)
            if len(opened) > 1:
                raise TimeoutError("timed out")
        return EmailBackend.open(backend)

    mailbox.to_recipient = lambda recipient: "421 Going away" if mailbox.messages else None
    monkeypatch.setattr(sending, "get_connection", lambda: type("", (EmailBackend,), {"open": open_once})())
    mails(5)
    assert send_due() == 5 and len(opened) == 2
    assert statuses() == [*["pending"] * 4, "sent"]
    errors = sorted(Mail.objects.filter(status="pending").values_list("error", flat=True))
    assert errors == ["421 Going away", *["TimeoutError: timed out"] * 3]


def test_a_mail_whose_text_cannot_be_made_blocks_no_other(mails, mailbox):
    broken, _ = mails(2)
    Mail.objects.filter(pk=broken.pk).update(data={})
    assert send_due() == 2
    broken.refresh_from_db()
    assert (broken.status, broken.error) == ("pending", "KeyError: 'lines'")
    assert len(mailbox.messages) == 1


def test_an_order_needs_no_mail_server(api, shelve, settings, mailbox):
    shelve("book-123", 3)
    send_mails_to(free_port(), settings)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
    assert api.post("/orders", body).status_code == 201
    call_command("run_worker", once=True)
    assert available("book-123") == 2 and only_mail().status == "pending"


# --- Attempts ---------------------------------------------------------------------------------------


def test_each_attempt_waits_longer_and_the_last_one_fails(mails, mailbox, settings):
    settings.MAIL_BACKOFF, settings.MAIL_MAX_BACKOFF = timedelta(minutes=1), timedelta(hours=1)
    mailbox.to_recipient = lambda recipient: "451 Later"
    mails(1)
    waits = []
    for _ in range(4):
        make_due()
        send_due()
        mail = only_mail()
        waits.append((mail.due_at - mail.updated_at) / timedelta(minutes=1))
    assert all(longest / 2 <= wait <= longest for wait, longest in zip(waits, [1, 2, 4, 8], strict=True)), waits
    Mail.objects.update(retry_until=DatabaseNow() - timedelta(seconds=1))
    make_due()
    send_due()
    assert (only_mail().status, only_mail().error, only_mail().attempts) == ("failed", "451 Later", 5)


def test_the_mails_of_an_order_arrive_in_their_order(customer, mailbox):
    order = new_order(customer)
    record_mail(order, Outcome.COMPLETED)
    Mail.objects.update(created_at=DatabaseNow() - timedelta(seconds=1))
    record_mail(order, Outcome.SHIPPED, carrier="mock", tracking_number="trk_1")
    mailbox.to_recipient = lambda recipient: "451 Later"
    assert send_due() == 1, "the second waits for the first"
    mailbox.reset()
    make_due()
    assert send_due() == 2
    assert ["trk_1" in message.get_content() for message in mailbox.messages] == [False, True]


def test_a_customer_without_an_address_gets_the_mail_once_there_is_one(mails, mailbox, customer):
    (mail,) = mails(1)
    Customer.objects.update(email="")
    assert send_due() == 1
    assert only_mail().status == "no_address" and mailbox.connections == 0
    resend(mail.pk)
    send_due()
    assert only_mail().status == "no_address"
    Customer.objects.update(email="new@example.com")
    resend(mail.pk)
    send_due()
    assert only_mail().status == "sent" and only_mail().recipient == "new@example.com"
    assert len(mailbox.to("new@example.com")) == 1


def test_a_resent_mail_says_the_same(mails, mailbox, customer):
    (mail,) = mails(1)
    send_due()
    Customer.objects.update(language="en", email="new@example.com")
    resend(mail.pk)
    with pytest.raises(IllegalMove):
        resend(mail.pk)
    send_due()
    first, second = mailbox.messages
    assert (first["Subject"], first.get_content()) == (second["Subject"], second.get_content())
    assert second["To"] == "new@example.com" and first["Message-ID"] != second["Message-ID"]
    assert (only_mail().attempts, only_mail().resends) == (1, 1)


def test_an_outcome_is_recorded_once(customer):
    order = new_order(customer)
    for reference in ("first", "first", "second"):
        record_mail(order, Outcome.REFUNDED, reference, amount=100)
    assert sorted(Mail.objects.values_list("reference", flat=True)) == ["first", "second"]


# --- Workers ----------------------------------------------------------------------------------------


def test_workers_at_once_send_each_mail_once(mails, mailbox):
    for _ in range(rounds(1, ci=5)):
        Mail.objects.all().delete()
        mailbox.messages.clear()
        for n in range(20):
            record_mail(new_order(CustomerFactory(email=f"{n}@example.com")), Outcome.COMPLETED)
        tried = all_at_once([send_due] * 3)
        assert sum(tried) == 20
        assert sorted(message["To"] for message in mailbox.messages) == sorted(f"{n}@example.com" for n in range(20))
        assert statuses() == ["sent"] * 20


def test_a_mail_that_another_worker_has_acquired_is_left_to_it(mails):
    mails(1)
    first, second = due(1)[0], due(1)[0]
    assert acquire(first) and not acquire(second)
    assert due(1) == [] and send_due() == 0
    make_due()  # the lease has expired
    assert not acquire(second), "it was read before the mail was acquired"
    assert acquire(due(1)[0])


def test_a_worker_whose_lease_has_expired_stores_nothing(mails, mailbox):
    mails(1)
    (mail,) = due(1)
    assert acquire(mail)
    make_due()  # the lease has expired
    assert send_due() == 1
    sent_at = only_mail().sent_at
    assert not conclude(mail, "failed", "too late") and not postpone(mail, "too late")
    assert (only_mail().status, only_mail().sent_at) == ("sent", sent_at)


@pytest.mark.parametrize(
    "store",
    [lambda mail: conclude(mail, "failed", "too late"), lambda mail: postpone(mail, "too late")],
    ids=["conclude", "postpone"],
)
def test_a_worker_whose_lease_was_lost_does_not_end_the_attempt_of_another(mails, store):
    mails(1)
    (late,) = due(1)
    assert acquire(late)
    make_due()  # the lease has expired
    (mail,) = due(1)
    assert acquire(mail)
    until = only_mail().due_at
    assert not store(late)
    assert (only_mail().status, only_mail().due_at, only_mail().error) == ("pending", until, "")
    assert conclude(mail, "sent")


def test_a_mail_that_was_read_before_its_resend_is_read_again(mails):
    """Otherwise it is sent with the Message-ID of the first time, which mail boxes hide."""
    mails(1)
    (late,) = due(1)
    assert acquire(late)
    make_due()  # the lease has expired
    (read_before,) = due(1)
    assert conclude(late, "sent")
    resend(late.pk)
    assert not acquire(read_before) and acquire(due(1)[0])


def test_a_mail_whose_acceptance_cannot_be_stored_is_sent_again_with_the_same_id(mails, mailbox, monkeypatch):
    mails(1)

    def fails(*args, **kwargs):
        raise OperationalError(9999, "gone")

    with monkeypatch.context() as patch:
        patch.setattr(sending, "conclude", fails)
        with pytest.raises(OperationalError):
            send_due()
    assert only_mail().status == "pending" and send_due() == 0, "its lease has not expired"
    make_due()
    assert send_due() == 1
    assert len({message["Message-ID"] for message in mailbox.messages}) == 1 and len(mailbox.messages) == 2
    assert mailbox.messages[0].as_bytes() == mailbox.messages[1].as_bytes()


def test_a_worker_process_that_is_killed_in_a_mail_loses_nothing(api, shelve, mailbox, settings):
    """While the mail server hangs the worker drives orders, and records their mails; another one sends each once."""
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
    env = {"EMAIL_URL": f"smtp://127.0.0.1:{settings.EMAIL_PORT}", "EMAIL_TIMEOUT": "60", "MAIL_LEASE": "1"}
    mailbox.hangs = True
    assert api.post("/orders", body).status_code == 201
    with running_command("run_worker", **env) as worker:
        wait_until(lambda: mailbox.connections == 1)
        assert api.post("/orders", body, headers={"Prefer": "respond-async"}).status_code == 202
        wait_until(lambda: Order.objects.filter(status="completed").count() == 2)
        wait_until(lambda: statuses() == ["pending", "pending"])
        worker.kill()
    mailbox.hangs = False
    with running_command("run_worker", **env):
        wait_until(lambda: statuses() == ["sent", "sent"])
    assert len(mailbox.messages) == len({message["Message-ID"] for message in mailbox.messages}) == 2


def test_a_worker_that_should_stop_leaves_the_rest(mails, mailbox):
    mails(3)
    assert send_due(lambda: len(mailbox.messages) > 0) == 1
    assert statuses() == ["pending", "pending", "sent"]


# --- What is kept and shown -------------------------------------------------------------------------


def test_old_mails_are_deleted(mails, settings):
    mails(3)
    assert delete_old(10) == 0
    oldest = list(Mail.objects.order_by("pk").values_list("pk", flat=True)[:2])
    longer = settings.MAIL_RETENTION + timedelta(seconds=1)
    Mail.objects.filter(pk__in=oldest).update(created_at=DatabaseNow() - longer)
    assert delete_old(1) == 1 and delete_old(10) == 1 and delete_old(10) == 0
    assert Mail.objects.count() == 1


def test_the_log_shows_no_address(mails, mailbox, lines, settings):
    mailbox.to_recipient = lambda recipient: f"550 <{recipient}>: no such user" if "tanaka" in recipient else None
    mails(2)
    send_due()
    send_mails_to(free_port(), settings)
    resend(Mail.objects.filter(status="sent").get().pk)
    send_due()
    logged = [line for line in lines() if line["logger"] != "mail.log"]  # that of the tests' mail server
    assert len(logged) == 3 and "example.com" not in str(logged)
    assert "tanaka@example.com" in Mail.objects.get(status="failed").error


def test_each_attempt_is_logged_with_its_order_and_a_failed_one_is_a_warning(mails, mailbox, lines):
    replies = {"c1@example.com": "450 Mailbox busy", "c2@example.com": "550 No such user"}
    mailbox.to_recipient = replies.get
    recorded = mails(4)
    Customer.objects.filter(pk=recorded[3].order.customer_id).update(email="")
    send_due()
    logged = {line["order_id"]: line for line in lines() if line["event"] == "mail attempt"}
    assert [(logged[str(mail.order_id)]["level"], logged[str(mail.order_id)]["status"]) for mail in recorded] == [
        ("info", "sent"),
        ("warning", "pending"),
        ("warning", "failed"),
        ("info", "no_address"),
    ]
    assert [logged[str(mail.order_id)]["mail_id"] for mail in recorded] == [str(mail.pk) for mail in recorded]


@pytest.mark.any_database
def test_the_command_sends_what_is_due(mails, mailbox):
    mails(2)
    outputs = []
    for _ in range(2):
        output = StringIO()
        call_command("send_mails", stdout=output)
        outputs.append(output.getvalue())
    assert outputs == ["2 mails tried\n", "0 mails tried\n"] and len(mailbox.messages) == 2
