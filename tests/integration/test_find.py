"""The admin's search finds orders, customers, payments, parcels and books by their numbers, names and references."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.kernel.order_numbers import shown
from orders.models import Customer, Order
from payments.models import Payment
from shipping.models import Shipment
from tests.acceptance.test_matrix import named, staff_with


@pytest.fixture
def order(api, shelve):
    shelve("book-123", 5)
    Customer.objects.update(name="田中太郎", email="tanaka@example.com")
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
    return Order.objects.get(pk=api.post("/orders", body).json()["order_id"])


def find(site, term):
    return site.get("/admin/find/", {"q": term})


@pytest.mark.parametrize("written", [shown, str, lambda pk: f"#{shown(pk).lower()}", lambda pk: shown(pk)[:6]])
def test_an_order_is_found_by_its_number_its_id_and_their_beginning(site, order, written):
    with CaptureQueriesContext(connection) as queries:
        response = find(site, written(order.pk))
    assert response["Location"] == f"/admin/orders/order/{order.pk}/change/"
    assert len(queries) <= 5, "no other table is searched"


def test_an_order_is_found_by_the_beginning_of_its_id(site, order):
    assert find(site, str(order.pk)[:13])["Location"] == f"/admin/orders/order/{order.pk}/change/"


@pytest.mark.parametrize("term", ["田中", "tanaka@example.com", "customer-001"])
def test_a_customer_is_found_with_the_newest_orders(site, order, term):
    page = find(site, term).content.decode()
    assert "/admin/orders/customer/customer-001/change/" in page
    assert shown(order.pk) in page


def test_a_payment_is_found_by_the_providers_reference(site, order):
    payment = Payment.objects.get()
    assert find(site, payment.transaction_id)["Location"] == f"/admin/payments/payment/{payment.pk}/change/"


def test_a_parcel_is_found_by_its_tracking_number(site, order):
    parcel = Shipment.objects.get()
    for term in (parcel.tracking_number, parcel.tracking_number[:-1]):
        assert find(site, term)["Location"] == f"/admin/shipping/shipment/{parcel.pk}/change/"


def test_a_book_is_found_by_its_code(site, order):
    assert find(site, "book-123")["Location"] == "/admin/inventory/book/book-123/change/"


def test_the_page_of_a_code_with_an_underscore_is_found(site, shelve):
    shelve("vol_22", 1)
    assert site.get(find(site, "vol_22")["Location"]).status_code == 200


@pytest.mark.parametrize("term", ["nothing", "%", "x" * 500, "00000000-0000-4000-8000-000000000000", "' OR 1=1 --"])
def test_an_unknown_term_is_said_to_find_nothing(site, order, term):
    assert "Nothing was found." in find(site, term).content.decode()


def test_only_what_the_user_may_view_is_found(client, order):
    client.force_login(staff_with(named("inventory.view_book")))
    assert "Nothing was found." in find(client, shown(order.pk)).content.decode()
    assert find(client, "book-123").status_code == 302
    client.force_login(staff_with(named("orders.view_customer")))
    assert find(client, "customer-001").status_code == 302, "without the orders"


def test_the_search_needs_few_queries(site, order, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        find(site, "customer-001")
