"""Operators edit customers in the admin: checked as the API checks, with a history of old and new values."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from orders.models import Customer
from tests.acceptance.test_matrix import named, staff_with
from tests.factories import CustomerFactory

PAGE = "/admin/orders/customer/c-1/change/"


@pytest.fixture
def customer(transactional_db):
    return CustomerFactory(
        id="c-1", name="Tanaka", email="old@example.com", postal_code="150-0001", country="JP", address="Tokyo"
    )


@pytest.fixture
def clerk(transactional_db):
    client = Client()
    client.force_login(staff_with(named("orders.view_customer"), named("orders.change_customer")))
    return client


def form(customer, **changes):
    names = ("name", "email", "postal_code", "address", "country", "payment_method", "language")
    return {**{name: getattr(customer, name) for name in names}, **changes}


def test_the_page_leads_to_the_orders_of_the_customer(clerk, customer):
    assert 'href="/admin/orders/order/?q=c-1"' in clerk.get(PAGE).content.decode()
    assert "?q=" not in clerk.get("/admin/orders/customer/add/").content.decode()


def test_a_change_is_recorded_with_old_and_new_value(clerk, customer):
    with CaptureQueriesContext(connection) as queries:
        assert clerk.post(PAGE, form(customer, email="new@example.com", address="")).status_code == 302
    (update,) = (query["sql"] for query in queries if re.match("UPDATE .customers. ", query["sql"]))
    assert "new@example.com" in update and "Tanaka" not in update, "only what was changed"
    entry = LogEntry.objects.get(object_id="c-1")
    assert entry.get_change_message() == "email: old@example.com → new@example.com; address: Tokyo → none"


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "no address"},
        {"email": "(rare)@example.com"},
        {"postal_code": "1500001"},
        {"country": "ZZ"},
        {"name": "two\x07lines"},
        {"name": ""},
    ],
)
def test_what_the_api_refuses_is_refused(clerk, customer, wrong):
    response = clerk.post(PAGE, form(customer, **wrong))
    assert list(response.context["adminform"].form.errors) == list(wrong)


def test_only_those_who_may_change_users_say_who_orders_as_a_customer(clerk, customer, operator):
    clerk.post(PAGE, form(customer, user=operator.pk))
    customer.refresh_from_db()
    assert customer.user != operator
    site = Client()
    site.force_login(operator)
    assert site.post(PAGE, form(customer, user=operator.pk)).status_code == 302
    customer.refresh_from_db()
    assert customer.user == operator


class WrittenMeanwhile:
    """A changed form; while its history is written, `other` happens, as in another thread."""

    initial, cleaned_data = {"email": "old@example.com"}, {"email": "new@example.com"}

    def __init__(self, other=lambda: None):
        self.other = other

    @property
    def changed_data(self):
        self.other()
        return ["email"]


def test_a_history_that_is_written_meanwhile_leaves_the_language_of_the_page():
    page = admin.site._registry[Customer]

    def write(form):
        return page.construct_change_message(None, form, [])

    with translation.override("ja"):
        message = write(WrittenMeanwhile(other=lambda: write(WrittenMeanwhile())))
        assert translation.get_language() == "ja"
    assert message == "email: old@example.com → new@example.com"
