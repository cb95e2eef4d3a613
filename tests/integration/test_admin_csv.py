"""The lists of the admin as CSV: the rows that are found, all their columns, and no formula."""

import csv
from io import StringIO

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.admin_pages import admins
from benchmarks.shop import make_sample
from cloudmart.pages import base, exports
from orders.models import Customer
from payments.models import Payment
from tests.acceptance.test_matrix import named, staff_with
from tests.factories import CustomerFactory


def table(response):
    """Returns the lines of a downloaded table, and checks that it is one."""
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = response.getvalue().decode()
    assert text[0] == "\ufeff"
    return list(csv.reader(StringIO(text[1:], newline="")))


def test_every_list_that_is_worth_it_is_downloaded_with_the_rows_that_it_shows(site):
    make_sample()
    exported = [page for page in admins() if page.csv_columns]
    names = {page.model._meta.model_name for page in exported}
    assert names >= {"order", "payment", "refund", "shipment", "reservation", "book", "customer", "stockevent"}
    for page in exported:
        address = f"/admin/{page.model._meta.app_label}/{page.model._meta.model_name}/"
        assert 'href="csv/' in site.get(address).content.decode(), address
        header, *rows = table(site.get(f"{address}csv/"))
        assert len(header) == len(set(header)) == len(page.csv_columns), header
        assert len(rows) == page.model._default_manager.count()


def test_search_and_filters_apply_and_amounts_and_times_are_those_of_the_shop(site, settings):
    make_sample()
    settings.CURRENCY = "EUR"
    payment = Payment.objects.filter(status="refunded").latest("pk")
    assert 'href="csv/?status__exact=refunded"' in (
        site.get("/admin/payments/payment/?status__exact=refunded&p=1").content.decode()
    )
    header, *rows = table(site.get(f"/admin/payments/payment/csv/?status__exact=refunded&q={payment.order_id}"))
    (row,) = (dict(zip(header, row, strict=True)) for row in rows)
    assert (row["order_id"], row["amount (EUR)"]) == (str(payment.order_id), "11.00")
    assert row["created_at"].endswith("+09:00")
    assert len(table(site.get("/admin/payments/payment/csv/?q=none"))) == 1
    assert site.get("/admin/payments/payment/csv/?nothing=1").status_code == 302


def test_a_long_table_is_read_in_parts_and_cut_at_the_limit(site, monkeypatch):
    monkeypatch.setattr(exports, "AT_ONCE", 10)
    monkeypatch.setattr(base, "MOST_EXPORTED", 40)
    Customer.objects.bulk_create(CustomerFactory.build(id=f"c-{n:02}", user=None) for n in range(41))
    with CaptureQueriesContext(connection) as queries:
        response = site.get("/admin/orders/customer/csv/")
        rows = table(response)
    assert [row[0] for row in rows[1:]] == [f"c-{n:02}" for n in range(40)]
    assert 'filename="customer-first-40.csv"' in response["Content-Disposition"]
    assert len(queries) <= 20
    Customer.objects.get(pk="c-40").delete()
    assert 'filename="customer.csv"' in site.get("/admin/orders/customer/csv/")["Content-Disposition"]


def test_a_text_is_no_formula_and_only_viewers_download(site):
    CustomerFactory(id="c-1", name="=1+1")
    assert table(site.get("/admin/orders/customer/csv/"))[1][1] == "'=1+1"
    other = Client()
    other.force_login(staff_with(named("orders.view_order")))
    assert other.get("/admin/orders/customer/csv/").status_code == 403
