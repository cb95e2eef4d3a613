"""Every model has its page in the admin, and history cannot be changed there."""

import re
from uuid import UUID

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order_numbers import shown
from inventory.models import InventoryRecord
from orders.models import Order
from payments.models import Payment
from sagas.choreography import inventory as reactions_of_inventory
from sagas.models import SagaInstance
from shipping.models import Shipment
from tests.acceptance.conftest import end_of
from tests.acceptance.test_matrix import named, staff_with
from tests.conftest import signed_in

OURS = [m for m in admin.site._registry if m._meta.app_label in "cloudmart orders inventory payments shipping sagas"]
CHANGEABLE = {"customer", "book", "discount", "taxrate", "webhookendpoint"}
ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.fixture
def site(site, place_one):
    return site


@pytest.fixture
def place_one(api, shelve):
    shelve("book-123", 5)
    for style in ("orchestration", "choreography"):
        assert api.post("/orders", {**ORDER, "saga": style}).status_code == 201


def test_every_table_can_be_searched_and_shown(site):
    assert len(OURS) == 36
    for model in OURS:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        assert site.get(f"{base}/?q=book").status_code == 200
        row = model.objects.first()
        if row is not None:
            with CaptureQueriesContext(connection) as queries:
                assert site.get(f"{base}/{row.pk}/change/").status_code == 200
            assert len(queries) <= 20, model
        may_add = 200 if model._meta.model_name in CHANGEABLE else 403
        assert site.get(f"{base}/add/").status_code == may_add


@pytest.mark.parametrize(("currency", "total"), [("JPY", "¥1,100"), ("EUR", "€11.00"), ("KWD", "KWD 1.100")])
def test_amounts_are_shown_in_the_shops_currency(site, settings, currency, total):
    settings.CURRENCY = currency
    order_id = str(Order.objects.order_by("pk").first().pk)
    payment_id = Payment.objects.get(order_id=order_id).pk
    for page in (
        "orders/order/",
        f"orders/order/{order_id}/change/",
        "payments/payment/",
        f"payments/payment/{payment_id}/change/",
    ):
        assert total in site.get(f"/admin/{page}").content.decode(), page


def test_a_page_shows_each_field_once(site):
    for model in OURS:
        if (row := model.objects.first()) is not None:
            page = site.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/")
            labels = [re.findall(r"<label[^>]*>([^<]+):</label>", page.content.decode())]
            labels += [
                [field["label"] for field in each.fields()] for each in page.context.get("inline_admin_formsets", [])
            ]
            assert all(len(shown) == len(set(shown)) for shown in labels), (model, labels)


def test_those_who_may_only_view_a_book_see_its_price_as_money(place_one):
    viewer = Client()
    viewer.force_login(staff_with(named("inventory.view_book")))
    page = viewer.get("/admin/inventory/book/book-123/change/").content.decode()
    assert page.count(">¥1,000</div>") == 1


def test_a_new_book_has_no_stock(site):
    site.post("/admin/inventory/book/add/", {"id": "book-900", "title": "New", "price": 1200})
    assert InventoryRecord.objects.get(pk="book-900").on_hand == 0


def mark_all_as_shipped(site):
    """Runs the admin action for all parcels, and returns the messages."""
    parcels = [str(pk) for pk in Shipment.objects.values_list("pk", flat=True)]
    action = {"action": "mark_as_shipped", "_selected_action": parcels}
    response = site.post("/admin/shipping/shipment/", action, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def test_an_operator_marks_parcels_as_shipped(site):
    mark_all_as_shipped(site)
    assert set(Shipment.objects.values_list("status", flat=True)) == {"shipped"}
    again = mark_all_as_shipped(site)
    assert len(again) == 2 and all("Nothing to do: The parcel is already shipped." in each for each in again)


def test_a_parcel_without_a_saga_can_be_marked_as_shipped(site, operator):
    body = {"order_id": str(new_id()), "shipping_address": "150-0001"}
    assert signed_in(operator).post("/shipping/arrange", body).status_code == 200
    mark_all_as_shipped(site)
    assert Shipment.objects.get(order_id=body["order_id"]).status == "shipped"


def test_a_parcel_cannot_be_marked_as_shipped_before_its_order_is_sold(site, api, operator, monkeypatch):
    """Only in choreography can there be a commit between the parcel and the sale."""

    def fail(order):
        raise RuntimeError

    with monkeypatch.context() as failing:
        failing.setattr(reactions_of_inventory.inventory, "confirm_stock", fail)
        api.post("/orders", {**ORDER, "saga": "choreography"})
    order_id = str(SagaInstance.objects.get(status="SHIPPING_ARRANGED").order_id)
    messages = mark_all_as_shipped(site)
    assert sorted("is marked as shipped" in each for each in messages) == [False, True, True]
    assert f"{shown(UUID(order_id))}: Nothing to do: The order is not finished." in messages
    signed_in(operator).post("/inventory/release", {"order_id": order_id})
    SagaInstance.objects.update(lease_until=DatabaseNow())
    call_command("run_worker", once=True)
    assert end_of(order_id)[:3] == ("cancelled", 0, 0)
