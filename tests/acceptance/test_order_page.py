"""The page of an order in the admin: what has become of it, in both styles, and for drafts."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order_numbers import shown
from inventory.models import Reservation
from orders.models import SagaStyle
from payments.models import Payment, Refund
from sagas.admin.order_page import records
from sagas.models import Event, SagaInstance, SagaStepLog
from shipping.models import Shipment
from tests.acceptance.test_matrix import named, staff_with

MOST_QUERIES = 20
REFRESHING = 'hx-trigger="every '


def path_of(order_id):
    return f"/admin/orders/order/{order_id}/change/"


def text_of(content):
    """Returns what a person reads of a page."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", content)))


@pytest.fixture
def read(site):
    """Returns the text of an order's page."""

    def read(order_id):
        response = site.get(path_of(order_id))
        assert response.status_code == 200
        return text_of(response.content.decode())

    return read


@pytest.fixture
def waiting(place_undecided, shelve):
    shelve("book-123", 3)
    return place_undecided("book-123")


def test_a_completed_order(place, shelve, site, read):
    shelve("book-123", 3)
    shelve("book-456", 3)
    order_id = place(("book-123", 2), ("book-456", 1)).json()["order_id"]
    page, text = site.get(path_of(order_id)).content.decode(), read(order_id)
    payment, parcel = Payment.objects.get(), Shipment.objects.get()
    assert shown(SagaInstance.objects.get().order_id) in text and f'data-copy="{order_id}"' in page
    assert (
        "Completed: paid, sold and handed to the carrier. Charged ¥3,300. 3 copies are sold. Nothing is owed." in text
    )
    for seen in (payment.transaction_id, payment.idempotency_key, parcel.tracking_number, "Net ¥3,300"):
        assert seen in text
    for link in (
        "/admin/orders/customer/customer-001/change/",
        "/admin/inventory/book/book-123/change/",
        f"/admin/payments/payment/{payment.pk}/change/",
        f"/admin/shipping/shipment/{parcel.pk}/change/",
        f"/admin/sagas/sagainstance/{SagaInstance.objects.get().pk}/change/",
        f"/admin/inventory/stockevent/?q={order_id}",
        f"/admin/inventory/reservation/?q={order_id}",
        f"/admin/sagas/event/?q={order_id}",
        f"/admin/sagas/sagasteplog/?q={order_id}",
    ):
        assert f'href="{link}"' in page and site.get(link).status_code == 200
    assert REFRESHING not in page, "nothing changes any more"


def test_an_order_whose_parcel_the_carrier_never_takes(place, shelve, read):
    shelve("book-123", 3)
    order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    text, refund = read(order_id), Refund.objects.get()
    assert "Failed Failed: the carrier could not be reached. 3 tries in " in text
    assert "Charged ¥1,100, refunded ¥1,100. 1 copy is back on the shelf. Nothing is owed." in text
    assert "Place the order again when the carrier responds." in text
    assert text.index("Order again") < text.index("Resend mail"), "the command that the advice names comes first"
    assert "Refund, because the order was undone" in text and ":saga" not in text.partition("Raw data")[0]
    assert refund.transaction_id in text and refund.idempotency_key in text and "-¥1,100" in text and "Net ¥0" in text


REACTIONS = {
    "Reserve stock": "OrderCreated → inventory.reserve_when_order_created → StockReserved",
    "Ship": "StockReserved → shipping.arrange_when_reserved_and_paid → ShippingFailed",
    "Refund": "ShippingFailed → payments.refund_when_nothing_is_shipped → PaymentRefunded",
}
"""What led to a step in the choreography, and what came of it."""


def test_the_timeline_of_either_style_can_be_read(place, shelve, site, read, style, settings):
    settings.PROVIDER_TEXTS = "plain"
    shelve("book-123", 3)
    order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    assert site.get(path_of(order_id)).content.decode().count('<svg class="tl"') == 1
    drawing, _, table = read(order_id).partition(" Timeline ")[2].partition("Every attempt, with its times")
    for bar in ("Create order: done", "Pay: done", "Ship: failed, 3 attempts", "Undo", "Refund: done"):
        assert bar in drawing
    for number in (1, 2, 3):
        assert re.search(rf"Ship {number} failed [\d.,]+ m?s (< )?[\d.,]+ m?s ProviderUnavailable", table)
    assert {name for name, path in REACTIONS.items() if path in table} == (
        set(REACTIONS) if style == SagaStyle.CHOREOGRAPHY else set()
    )


def test_a_cancelled_order_says_who_cancelled_it_and_why(api, desk, place, shelve, read):
    shelve("book-123", 3)
    mine, theirs = (place(("book-123", 1)).json()["order_id"] for _ in range(2))
    api.post(f"/orders/{mine}/cancel", {"reason": "A change of mind."})
    desk.post(f"/orders/{theirs}/cancel", {"reason": "A fraud."})
    desk.post(f"/orders/{theirs}/notes", {"text": "The bank has called."})
    assert "Cancelled by the customer. A change of mind." in read(mine)
    text = read(theirs)
    assert "Cancelled by an operator, operator. A fraud." in text
    assert "Cancel by operator A fraud." in text and "→ FAILED" in text
    assert "The bank has called." in text


def test_a_waiting_order_refreshes_itself_and_says_when_it_is_tried_again(site, waiting, read):
    page, text = site.get(path_of(waiting)).content.decode(), read(waiting)
    assert "Waiting: attempt 4 is due" in text and "at its deadline, the order is undone." in text
    assert "It is not known yet whether ¥1,100 was charged. 1 copy is reserved." in text
    assert f'hx-get="{path_of(waiting)}" {REFRESHING}2s"' in page
    part = site.get(path_of(waiting), headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div id="order-page"') and "<html" not in part


def test_an_abandoned_order_is_no_waiting_one(site, waiting, desk, read):
    desk.post(f"/saga/{waiting}/abandon", {"reason": "Paid by hand."})
    assert "Abandoned by operator at " in read(waiting) and "Paid by hand." in read(waiting)
    response = site.get(path_of(waiting))
    assert REFRESHING not in response.content.decode()
    assert response.context["possible"][0].command == "resume", "what mends it comes first"


def test_a_draft(api, style, shelve, read):
    shelve("book-123", 3)
    draft = api.post("/orders", {"saga": style}).json()["order_id"]
    assert "Draft: it has no books." in read(draft)
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 2})
    assert "Draft: its books are held until" in read(draft)
    Reservation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert "Draft: its reservations expired at" in read(draft)
    api.post(f"/orders/{draft}/cancel", {"reason": "Not now."})
    assert "Cancelled by the customer. Not now." in read(draft)


def test_the_raw_data_are_without_secrets(place, shelve, site):
    shelve("book-123", 3)
    order_id = place(("book-123", 1), payment_token="tok_my_secret").json()["order_id"]
    page = site.get(path_of(order_id)).content.decode()
    assert "tok_my_secret" not in page and "payment_token" not in page
    raw = json.loads(html.unescape(re.search(r"<pre[^>]*>(.*?)</pre>", page, re.S)[1]))
    assert raw["order"][0]["id"] == order_id and raw["saga"][0]["payload"]["totals"]["total"] == 1100
    assert len(raw["steps"]) == SagaStepLog.objects.count() and len(raw["events"]) == Event.objects.count()


def test_the_page_takes_few_queries_however_long_the_history(
    api, place, shelve, site, style, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(records, "MOST", 3)
    books = [f"book-{number}" for number in range(30)]
    for book in books:
        shelve(book, 3)
    order_id = place(*((book, 1) for book in books)).json()["order_id"]
    draft = api.post("/orders", {"saga": style}).json()["order_id"]
    for path in (order_id, draft):
        with django_assert_max_num_queries(MOST_QUERIES):
            page = site.get(path_of(path))
    shown_rows = site.get(path_of(order_id)).context["history"]
    assert max(len(shown_rows.steps), len(shown_rows.events)) == 3 and shown_rows.is_cut
    assert page.status_code == 200


def test_the_page_is_for_those_who_may_view_orders(place, shelve, operator):
    shelve("book-123", 3)
    path = path_of(place(("book-123", 1)).json()["order_id"])
    for permission, status in (("orders.view_order", 200), ("orders.view_customer", 403)):
        client = Client()
        client.force_login(staff_with(named(permission)))
        assert client.get(path).status_code == status


@pytest.mark.parametrize("key", ["none", str(new_id())])
def test_an_order_that_does_not_exist_leads_home(site, key):
    assert site.get(path_of(key)).status_code == 302
    assert site.post(path_of(key)).status_code == 405
