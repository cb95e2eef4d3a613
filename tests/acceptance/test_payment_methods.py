"""An order without a payment method is paid as its customer pays."""

import pytest
from django.test import Client

from orders.models import Customer
from payments.models import Payment

BODY = {"book_id": "book-123", "quantity": 1}


@pytest.mark.parametrize("path", ["/orders", "/saga/start"])
@pytest.mark.parametrize(
    ("own", "asked", "paid"),
    [
        ("credit_card", {}, "credit_card"),
        ("e_money", {}, "e_money"),
        ("e_money", {"payment_method": "credit_card"}, "credit_card"),
    ],
)
def test_the_customers_own_method_is_the_default(api, customer, shelve, path, own, asked, paid):
    shelve("book-123", 5)
    Customer.objects.update(payment_method=own)
    response = api.post(path, {**BODY, **asked})
    assert response.status_code == 201 and response.json()["payment_method"] == paid
    assert Payment.objects.get().payment_method == paid


def test_an_operator_sees_and_changes_it_in_the_admin(api, customer, shelve, operator):
    shelve("book-123", 5)
    site = Client()
    site.force_login(operator)
    assert "credit_card" in site.get("/admin/orders/customer/").content.decode().lower().replace(" ", "_")
    page = f"/admin/orders/customer/{customer.pk}/change/"
    form = site.get(page).context["adminform"].form.initial
    changed = {**{name: value or "" for name, value in form.items()}, "payment_method": "e_money"}
    assert site.post(page, changed).status_code == 302
    assert api.post("/orders", BODY).json()["payment_method"] == "e_money"
