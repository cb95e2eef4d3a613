"""The lists of orders and sagas in the admin: how each order stands, and filters by that, by failure and by day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from inventory.movements import day_of
from orders.models import Order
from sagas.desk.mails import record_mails
from sagas.models import SagaInstance
from sagas.operations.standing import Standing

ORDERS, SAGAS = "/admin/orders/order/", "/admin/sagas/sagainstance/"
RECORDS = [
    *("orders/orderitem", "orders/ordernote", "orders/mail", "inventory/reservation", "inventory/stockevent"),
    *("payments/payment", "payments/refund", "shipping/shipment", "sagas/sagainstance", "sagas/sagaaction"),
]
"""The tables with rows of a cancelled order."""


@pytest.fixture
def orders(api, desk, style, place, place_undecided, shelve):
    """The ids of orders by how they stand."""
    shelve("book-123", 20)

    def buy(**more):
        return place(("book-123", 1), **more).json()["order_id"]

    waiting = ("waiting", "attention", "abandoned")
    found = {standing: place_undecided("book-123") for standing in waiting}
    found |= {"completed": buy(), "failed": buy(payment_token="tok_expired_card"), "cancelled": buy()}
    found |= {"timed_out": buy(), "draft": api.post("/orders", {"saga": style}).json()["order_id"]}
    api.post(f"/orders/{found['cancelled']}/cancel", {})
    api.post(f"/orders/{found['timed_out']}/cancel", {})
    desk.post(f"/saga/{found['abandoned']}/abandon", {"reason": "By hand."})
    SagaInstance.objects.filter(order_id=found["attention"]).update(attention="5 runs have failed.")
    SagaInstance.objects.filter(order_id=found["timed_out"]).update(failure={"code": "saga_timed_out"})
    return found


@pytest.fixture
def listed(site):
    """Returns the rows of a list, and the page as text."""

    def listed(path, **query):
        response = site.get(path, query)
        assert response.status_code == 200
        return list(response.context_data["cl"].result_list), response.content.decode()

    return listed


def test_orders_are_listed_and_filtered_by_how_they_stand(listed, orders):
    rows, page = listed(ORDERS)
    assert len(rows) == len(orders)
    for standing, order_id in orders.items():
        badge = f'<span class="desk-badge desk-{Standing(standing).tone}">{Standing(standing).label}</span>'
        assert badge in page and f'href="/admin/orders/order/{order_id}/change/"' in page
        assert [str(row.pk) for row in listed(ORDERS, standing=standing)[0]] == [order_id]
    assert listed(ORDERS, standing="running")[0] == listed(ORDERS, standing="returned")[0] == []
    lease_until = timezone.now() + timedelta(minutes=1)
    SagaInstance.objects.filter(order_id=orders["waiting"]).update(lease_until=lease_until)
    assert [str(row.pk) for row in listed(ORDERS, standing="running")[0]] == [orders["waiting"]]
    assert listed(ORDERS, standing="waiting")[0] == []


def test_a_cancelled_draft_is_listed_as_cancelled(api, listed, style):
    draft, other = (api.post("/orders", {"saga": style}).json()["order_id"] for _ in range(2))
    api.post(f"/orders/{draft}/cancel", {})
    assert [str(row.pk) for row in listed(ORDERS, standing="cancelled")[0]] == [draft]
    assert [str(row.pk) for row in listed(ORDERS, standing="draft")[0]] == [other]


def test_orders_are_filtered_by_their_failure(listed, orders):
    for code, standing in (("payment_declined", "failed"), ("saga_timed_out", "timed_out")):
        assert [str(row.pk) for row in listed(ORDERS, failure=code)[0]] == [orders[standing]]
    assert listed(ORDERS, failure="out_of_stock")[0] == []


def test_orders_are_filtered_by_the_days_of_the_shop(listed, orders, settings):
    today = day_of(timezone.now())
    yesterday = str(today - timedelta(days=1))
    midnight = timezone.datetime(today.year, today.month, today.day, tzinfo=settings.SHOP_TIME_ZONE)
    Order.objects.filter(pk=orders["failed"]).update(created_at=midnight - timedelta(microseconds=1))
    assert [str(row.pk) for row in listed(ORDERS, since=yesterday, until=yesterday)[0]] == [orders["failed"]]
    assert len(listed(ORDERS, since=str(today))[0]) == len(orders) - 1
    assert len(listed(ORDERS, since=yesterday)[0]) == len(listed(ORDERS, since="no day")[0]) == len(orders)
    assert len(listed(ORDERS, since="0001-01-01", until="9999-12-31")[0]) == len(orders)
    assert len(listed(ORDERS, since="0001-01-02", until="9999-12-30")[0]) == len(orders)
    rows, page = listed(ORDERS, standing="completed", since=str(today))
    assert [str(row.pk) for row in rows] == [orders["completed"]]
    assert '<input type="hidden" name="standing" value="completed">' in page and f'value="{today}"' in page


def test_abandoned_sagas_are_neither_waiting_nor_in_need_of_attention(listed, orders):
    found = {
        choice: {str(row.order_id) for row in listed(SAGAS, attention=choice)[0]}
        for choice in ("required", "waiting", "abandoned")
    }
    assert found == {
        "required": {orders["attention"]},
        "waiting": {orders["attention"], orders["waiting"]},
        "abandoned": {orders["abandoned"]},
    }
    page = listed(SAGAS)[1]
    assert 'href="/admin/sagas/sagainstance/?attention=abandoned"' in page
    assert '<span class="desk-badge desk-wait">Abandoned</span>' in page


def test_every_record_of_an_order_leads_back_to_it(listed, site, desk, orders, style):
    order_id = orders["cancelled"]
    desk.post(f"/orders/{order_id}/notes", {"text": "The bank has called."})
    record_mails()
    recorded = {"orchestration": ["sagas/sagasteplog"], "choreography": ["sagas/event", "sagas/eventreceipt"]}[style]
    for table in (*RECORDS, *recorded):
        rows, page = listed(f"/admin/{table}/", q=order_id)
        back = f'href="/admin/orders/order/{order_id}/change/"'
        assert rows and back in page, table
        assert back in site.get(f"/admin/{table}/{rows[0].pk}/change/").content.decode(), table
