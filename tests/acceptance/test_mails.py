"""The customer is mailed what has become of an order, once, in the same words in both styles.

The mails arrive at a real mail server.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from cloudmart.database.clock import DatabaseNow
from inventory import selectors as inventory
from inventory.models import Book
from orders.models import Customer, Mail
from sagas.models import SagaInstance
from sagas.operations.parcels import mark_as_delivered, mark_as_shipped

pytestmark = pytest.mark.any_database

BOOK, TITLE, EMAIL = "book-123", "クラウド設計パターン集", "tanaka@example.com"
NAMES = {"ja": "田中太郎 様", "en": "Dear 田中太郎,"}


@pytest.fixture(params=["ja", "en"])
def language(request, customer) -> str:
    Customer.objects.update(language=request.param, name="田中太郎", email=EMAIL)
    return request.param


@pytest.fixture(autouse=True)
def books(shelve, settings):
    settings.PROVIDER_TEXTS = "plain"
    shelve(BOOK, 5, 3500)
    Book.objects.update(title=TITLE)


@pytest.fixture
def order(place) -> str:
    return place((BOOK, 1)).json()["order_id"]


@pytest.fixture
def arrived(mailbox, language):
    """Runs two workers. Returns the mails that have arrived, each as subject and text, without what all have."""

    def arrived() -> list[tuple[str, str]]:
        for _ in range(2):
            call_command("run_worker", once=True)
        return [(message["Subject"], text_in(message, language)) for message in mailbox.messages]

    return arrived


def text_in(message: Any, language: str) -> str:
    """Returns the text, once its headers and greeting are checked."""
    assert message["To"] == EMAIL
    assert message["From"] == message["Reply-To"] == "CloudMart <orders@cloudmart.example>"
    assert message["Auto-Submitted"] == "auto-generated" and message["Date"]
    assert message["Content-Type"] == 'text/plain; charset="utf-8"'
    mail = Mail.objects.get(pk=message["Message-ID"].removeprefix("<").partition("@")[0])
    assert (mail.status, mail.recipient, mail.language, mail.attempts) == ("sent", EMAIL, language, 1)
    text = message.get_content().replace("\r\n", "\n")
    assert text.startswith(NAMES[language]) and str(mail.order_id) in text and TITLE in text
    return text


def mailed(order_id: str) -> list[str]:
    return list(Mail.objects.filter(order=order_id).order_by("created_at").values_list("outcome", flat=True))


# --- Every story -----------------------------------------------------------------------------------


def test_a_completed_order(place, arrived, language):
    order_id = place((BOOK, 2), coupon="WELCOME10").json()["order_id"]
    ((subject, text),) = arrived()
    assert order_id in subject
    if language == "ja":
        assert "ご注文を承りました" in subject
        expected = "3,500円 × 2冊 ＝ 7,000円", "7,000円", "割引　　-700円", "消費税　630円", "合計　　6,930円"
        expected += "クレジットカード", "〒150-0001\n東京都渋谷区神宮前1-2-3"
    else:
        assert "We have your order" in subject
        expected = f"2 × {TITLE}\n    ¥3,500 each, ¥7,000", "Subtotal: ¥7,000", "Discount: -¥700", "Tax: ¥630"
        expected += "Total: ¥6,930", "Paid by credit card", "東京都渋谷区神宮前1-2-3\n150-0001 JP"
    assert [each for each in expected if each not in text] == []


def test_a_returned_order(desk, order, arrived, language):
    mark_as_delivered(order)
    desk.post("/payments/refund", {"order_id": order, "amount": 500, "reference": "torn"})
    arrived()
    assert desk.post(f"/orders/{order}/return").status_code == 200
    subject, text = arrived()[-1]
    assert mailed(order) == ["completed", "refunded", "returned"]
    if language == "ja":
        assert "返品を承りました" in subject and "代金のうち、3,350円を返金いたしました" in text
    else:
        assert "Your return has arrived" in subject and "We have refunded ¥3,350." in text


NOT_CHARGED = {"ja": "代金は請求されておりません", "en": "You have not been charged"}
REFUNDED = {"ja": "代金3,850円を返金いたしました", "en": "We have refunded ¥3,850."}


@pytest.mark.parametrize(
    ("trouble", "why", "money"),
    [
        (
            {"payment_token": "tok_insufficient_funds"},
            {"ja": "残高または利用可能額が不足していたため", "en": "there were not enough funds"},
            NOT_CHARGED,
        ),
        (
            {"payment_token": "tok_expired_card"},
            {"ja": "カードの有効期限が切れていたため", "en": "your card has expired"},
            NOT_CHARGED,
        ),
        (
            {"shipping_address": "999-9999"},
            {"ja": "配送の手配ができなかったため", "en": "could not arrange the delivery"},
            REFUNDED,
        ),
        (
            {"shipping_address": "000-0000"},
            {"ja": "配送地域外のため", "en": "does not deliver to your address"},
            REFUNDED,
        ),
    ],
    ids=["too little money", "expired card", "carrier down", "not served"],
)
def test_an_order_that_a_provider_refuses(place, arrived, language, trouble, why, money):
    assert place((BOOK, 1), **trouble).status_code in {402, 409}
    ((_, text),) = arrived()
    assert why[language] in text and money[language] in text


def test_an_order_whose_stock_is_sold_meanwhile(place, arrived, language, monkeypatch):
    monkeypatch.setattr(inventory, "check_availability", lambda books, wanted: None)
    assert place((BOOK, 9)).status_code == 409
    ((_, text),) = arrived()
    assert {"ja": "在庫がなくなったため", "en": "has just been sold out"}[language] in text
    assert NOT_CHARGED[language] in text


def test_an_order_that_is_too_late(api, style, arrived, language):
    body = {"book_id": BOOK, "quantity": 1, "payment_method": "credit_card", "saga": style}
    assert api.post("/orders", body, headers={"Prefer": "respond-async"}).status_code == 202
    SagaInstance.objects.update(deadline_at=DatabaseNow() - timedelta(seconds=1))
    ((_, text),) = arrived()
    assert {"ja": "時間内に手続きを完了できなかったため", "en": "could not be completed in time"}[language] in text
    assert NOT_CHARGED[language] in text


def test_an_order_that_its_customer_cancels(api, order, arrived, language):
    for _ in range(2):
        assert api.post(f"/orders/{order}/cancel", {"reason": "My own words."}).status_code == 200
    (_, (subject, text)) = arrived()
    assert {"ja": "ご注文をキャンセルいたしました", "en": "Your order is cancelled"}[language] in subject
    assert {"ja": "ご依頼のとおり", "en": "as you asked"}[language] in text
    assert REFUNDED[language] in text and "My own words." not in text


@pytest.mark.parametrize("reason", ["The books got wet.", None])
def test_an_order_that_an_operator_cancels(desk, order, arrived, language, reason):
    assert desk.post(f"/saga/{order}/cancel", {"reason": reason} if reason else {}).status_code == 200
    (_, (_, text)) = arrived()
    assert {"ja": "店舗の都合により", "en": "we had to cancel your order"}[language] in text
    assert REFUNDED[language] in text
    heading = {"ja": "店舗からのメッセージ", "en": "A message from the shop"}[language]
    assert (heading in text) == bool(reason) and (reason or "") in text


def test_refunds_in_parts(desk, order, arrived, language):
    for reference, body in [("first", {"amount": 500}), ("first", {"amount": 500}), ("second", {})]:
        refund = {"order_id": order, "reference": reference, "reason": "Not for the customer.", **body}
        assert desk.post("/payments/refund", refund).status_code == 200
    _, *refunds = arrived()
    assert mailed(order) == ["completed", "refunded", "refunded"]
    assert {"ja": "返金のお知らせ", "en": "Your refund"}[language] in refunds[0][0]
    for (_, text), amount in zip(refunds, ["500", "3,350"], strict=True):
        assert {"ja": f"{amount}円を返金いたしました", "en": f"We have refunded ¥{amount} "}[language] in text
        assert "Not for the customer." not in text


def test_what_is_refunded_before_a_cancellation_is_mailed_once(api, desk, order, arrived, language):
    assert desk.post("/payments/refund", {"order_id": order, "amount": 500}).status_code == 200
    assert api.post(f"/orders/{order}/cancel").status_code == 200
    *_, (_, text) = arrived()
    assert mailed(order) == ["completed", "refunded", "cancelled"]
    assert {"ja": "代金のうち、3,350円を返金", "en": "We have refunded ¥3,350."}[language] in text


def test_a_cancellation_after_a_full_refund_does_not_say_that_nothing_was_charged(api, desk, order, arrived, language):
    assert desk.post("/payments/refund", {"order_id": order}).status_code == 200
    assert api.post(f"/orders/{order}/cancel").status_code == 200
    *_, (_, text) = arrived()
    assert NOT_CHARGED[language] not in text and {"ja": "返金", "en": "refunded"}[language] not in text


def test_a_shipped_parcel(order, arrived, language):
    for _ in range(2):
        mark_as_shipped(UUID(order))
    _, (subject, text) = arrived()
    assert {"ja": "商品を発送いたしました", "en": "Your parcel is on its way"}[language] in subject
    assert "trk_" in text


# --- What is not mailed ----------------------------------------------------------------------------


def test_a_draft_that_is_cancelled_has_no_mail(api, arrived):
    draft = api.post("/orders", {}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": BOOK, "quantity": 1})
    assert api.post(f"/orders/{draft}/cancel").status_code == 200
    assert arrived() == [] and mailed(draft) == []


def test_payments_of_another_order_system_have_no_mail(desk, arrived):
    other = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
    body = {"order_id": other, "amount": 100, "payment_method": "credit_card"}
    assert desk.post("/payments/process", body).status_code == 200
    assert desk.post("/payments/refund", {"order_id": other}).status_code == 200
    assert arrived() == [] and not Mail.objects.exists()
