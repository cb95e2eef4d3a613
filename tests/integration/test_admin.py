"""Every model has its page in the admin, and history cannot be changed there."""

import re

import pytest
from django.contrib import admin
from django.test import Client

from inventory.charts import LINES
from inventory.models import InventoryRecord, StockEvent
from inventory.selectors import sample_of
from shipping.models import Shipment
from tests.committed import add_stock

OURS = [m for m in admin.site._registry if m._meta.app_label in "cloudmart orders inventory payments shipping sagas"]
CHANGEABLE = {"customer", "book"}


@pytest.fixture
def site(operator, place_one):
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def place_one(api, shelve):
    shelve("book-123", 5)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    for style in ("orchestration", "choreography"):
        assert api.post("/orders", {**body, "saga": style}).status_code == 201


def test_all_tables_are_there_can_be_searched_and_looked_at(site):
    assert len(OURS) == 17
    for model in OURS:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        assert site.get(f"{base}/?q=book").status_code == 200
        row = model.objects.first()
        if row is not None:
            assert site.get(f"{base}/{row.pk}/change/").status_code == 200
        may_add = 200 if model._meta.model_name in CHANGEABLE else 403
        assert site.get(f"{base}/add/").status_code == may_add


def test_a_new_book_gets_an_empty_shelf(site):
    site.post("/admin/inventory/book/add/", {"id": "book-900", "title": "New", "price": 1200})
    assert InventoryRecord.objects.get(pk="book-900").on_hand == 0


def test_an_operator_notes_that_parcels_were_fetched(site):
    parcels = [str(pk) for pk in Shipment.objects.values_list("pk", flat=True)]
    action = {"action": "hand_over_to_carrier", "_selected_action": parcels}
    answer = site.post("/admin/shipping/shipment/", action, follow=True)
    assert answer.status_code == 200
    assert set(Shipment.objects.values_list("status", flat=True)) == {"shipped"}


def test_a_books_history_is_told_and_drawn(site, shelve):
    page = site.get("/admin/inventory/inventoryrecord/book-123/history/")
    text = page.content.decode()
    for event in StockEvent.objects.filter(shelf="book-123"):
        assert event.get_type_display() in text and event.actor in text and str(event.order_id or "") in text
    chart = page.context["chart"]
    for line in LINES:
        (points,) = re.findall(f'points="([^"]*)" fill="none" stroke="{line.colour}"', chart)
        assert len(points.split()) == 2 * StockEvent.objects.filter(shelf="book-123").count() - 1
    assert site.get("/admin/inventory/inventoryrecord/").content.decode().count("/book-123/history/") == 1
    shelve("book-new", 0)
    assert site.get("/admin/inventory/inventoryrecord/book-new/history/").status_code == 200
    assert site.get("/admin/inventory/inventoryrecord/none/history/").status_code == 302


def test_a_long_history_is_leafed_through_and_its_chart_is_a_sample(site, shelve, monkeypatch):
    monkeypatch.setattr("inventory.admin.EVENTS_ON_A_PAGE", 5)
    monkeypatch.setattr("inventory.selectors.MOST_DRAWN", 4)
    shelve("book-long", 1)
    for _ in range(11):
        add_stock("book-long", 1)
    drawn = [event.version for event in sample_of("book-long", 12)]
    assert drawn == [1, 3, 6, 9, 12]
    first, last = (site.get(f"/admin/inventory/inventoryrecord/book-long/history/?page={n}") for n in (1, 3))
    assert [event.version for event in first.context["events"]] == [12, 11, 10, 9, 8]
    assert [event.version for event in last.context["events"]] == [2, 1]
    assert "shows 5 of the events" in first.content.decode()
