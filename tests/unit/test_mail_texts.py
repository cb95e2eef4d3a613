"""The texts of mails: every reason in words, in both languages, whatever the customer's name is."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.providers.magic import DECLINED
from cloudmart.providers.wallets import INSUFFICIENT_BALANCE, LIMIT_EXCEEDED
from inventory.errors import OutOfStock
from orders.mails.messages import message_id_of, message_of
from orders.mails.rendering import text_of
from orders.models import Customer, Language, Mail, Order, Outcome
from sagas.desk.responses import SAGA_FAILURES

pytestmark = pytest.mark.any_database

CODES = sorted({error.code for error in (*SAGA_FAILURES, OutOfStock) if issubclass(error, DomainError)})
"""How an order can fail once it is stored."""
ADDRESSES = ("To", "From", "Reply-To")
DATA = {
    "lines": [{"title": "A <book> & more", "unit_price": 1000, "quantity": 2}],
    "subtotal": 2000,
    "discount": 0,
    "tax": 200,
    "total": 2200,
    "payment_method": "credit_card",
    "address": {"postal_code": "150-0001", "text": "東京都渋谷区神宮前1-2-3", "country": "JP"},
}
DETAILS = {
    Outcome.COMPLETED: {},
    Outcome.CANCELLED: {
        "code": "out_of_stock",
        "reason": "",
        "by_customer": False,
        "message": "",
        "charged": 0,
        "refunded": 0,
    },
    Outcome.REFUNDED: {"amount": 500},
    Outcome.SHIPPED: {"carrier": "mock", "tracking_number": "trk_1"},
    Outcome.RETURNED: {"charged": 2200, "refunded": 2200},
}


def mail_of(outcome, name="田中太郎", email="tanaka@example.com", language="ja", **details):
    customer = Customer(pk="customer-001", name=name, email=email, language=language)
    order = Order(pk=new_id(), customer=customer)
    return Mail(order=order, outcome=outcome, data={**DATA, **DETAILS[outcome], **details}, created_at=timezone.now())


def body_without_order(mail):
    return text_of(mail).body.replace(str(mail.order_id), "")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("code", CODES)
def test_every_failure_of_an_order_has_a_sentence_of_its_own(language, code):
    unknown, known = (
        body_without_order(mail_of(Outcome.CANCELLED, language=language, code=each)) for each in ("unheard_of", code)
    )
    assert known != unknown and code not in known


REASONS = [
    *[("payment_declined", refusal.reason) for refusal in (*DECLINED.values(), INSUFFICIENT_BALANCE, LIMIT_EXCEEDED)],
    ("shipping_failed", "not_served"),
]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("code", "reason"), REASONS)
def test_a_reason_that_helps_the_customer_has_a_sentence_of_its_own(language, code, reason):
    known, unknown = (
        body_without_order(mail_of(Outcome.CANCELLED, language=language, code=code, reason=each))
        for each in (reason, "any other")
    )
    assert known != unknown and reason not in known


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("outcome", Outcome)
def test_a_mail_has_a_subject_and_no_gap(language, outcome):
    mail = mail_of(outcome, language=language)
    written = text_of(mail)
    assert str(mail.order_id) in written.subject and "\n" not in written.subject
    assert "A <book> & more" in written.body, "nothing is escaped"
    assert "\n\n\n" not in written.body and "{" not in written.body
    assert all(line == line.rstrip() for line in written.body.splitlines())


ODD_TEXTS = [
    "Eve\r\nBcc: everybody@example.com",
    "Eve\nSubject: You have won",
    "Eve\u2028To: other@example.com\u0085X-Header: yes",
    "\u202eevE\ud83d\ude00 👩‍💻 \u0000",
    "x" * 200,
    "寿限無" * 66,
    "",
    "{{ order_id }}{% debug %}",
]


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("name", ODD_TEXTS)
def test_no_name_changes_a_header_or_begins_a_line(name, outcome):
    check_headers(mail_of(outcome, name), mail_of(outcome, "Eve"))


@given(name=st.text(max_size=200), title=st.text(max_size=300))
def test_no_text_changes_a_header_or_begins_a_line(name, title):
    check_headers(completed_mail(name, title), completed_mail("Eve", "A book"))


@pytest.mark.parametrize("title", ODD_TEXTS)
def test_no_title_changes_a_header_or_begins_a_line(title):
    check_headers(completed_mail("Eve", title), completed_mail("Eve", "A book"))


def completed_mail(name, title):
    return mail_of(Outcome.COMPLETED, name, lines=[{"title": title, "unit_price": 1, "quantity": 1}])


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_no_words_of_an_operator_change_a_header_or_begin_a_line(text):
    check_headers(mail_of(Outcome.CANCELLED, message=f"A{text}"), mail_of(Outcome.CANCELLED, message="Sorry."))


def parsed(mail):
    return message_from_bytes(message_of(mail).message().as_bytes(), policy=policy.default)


def check_headers(mail, plain):
    """Checks that the message has the headers, and as many lines, of one with a plain name."""
    sent, other = parsed(mail), parsed(plain)
    assert sent.keys() == other.keys()
    assert [sent[name] for name in ADDRESSES] == [other[name] for name in ADDRESSES]
    assert sent["Subject"].replace(str(mail.order_id), "") == other["Subject"].replace(str(plain.order_id), "")
    assert len(sent.get_content().splitlines()) == len(other.get_content().splitlines())


def test_every_attempt_has_the_same_bytes():
    mail = mail_of(Outcome.COMPLETED)
    mail.created_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert parsed(mail)["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    assert message_of(mail).message().as_bytes() == message_of(mail).message().as_bytes()


def test_a_resent_mail_has_an_id_of_its_own(settings):
    settings.DEFAULT_FROM_EMAIL = "The shop <shop@books.example>"
    mail = mail_of(Outcome.COMPLETED)
    ids = [message_id_of(mail)]
    mail.resends = 1
    ids.append(message_id_of(mail))
    assert ids == [f"<{mail.pk}@books.example>", f"<{mail.pk}.1@books.example>"]


def test_a_resent_mail_keeps_its_language():
    mail = mail_of(Outcome.COMPLETED, language="en")
    mail.language = "ja"
    assert "ご注文を承りました" in message_of(mail).subject
