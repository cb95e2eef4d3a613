"""Every model has its page in the admin, and history cannot be changed there."""

import pytest
from django.contrib import admin
from django.test import Client

from inventory.models import InventoryRecord
from shipping.models import Shipment

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
    assert len(OURS) == 16
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
