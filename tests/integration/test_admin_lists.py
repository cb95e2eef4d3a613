"""Every list page of the admin reads few rows however long its table is: by an index, and in its order."""

import re

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from benchmarks.admin_pages import admins, desk_pages, pages
from benchmarks.shop import add_keys_and_actions, add_users, make_sample, multiply
from cloudmart.database.indexes import indexes_of, scan
from cloudmart.kernel.ids import new_id
from cloudmart.pages import changelists
from cloudmart.webhooks.models import WebhookEndpoint
from inventory.models import StockEvent
from orders.models import Customer, Order
from payments.models import Payment
from sagas.models import EventReceipt, SagaInstance
from tests.browser.pages import pages_of_the_admin
from tests.factories import CustomerFactory

COPIES = 60
NOW = timezone.now()
LONG_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def many_orders(operator):
    make_sample()
    add_keys_and_actions()
    add_users(300)
    multiply(COPIES)


def get(site, model, query=""):
    """Returns the change list of the model."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    response = site.get(f"{path}?{query}")
    assert response.status_code == 200, response["Location"]
    return response.context_data["cl"]


def rows_of(site, model, query=""):
    return list(get(site, model, query).result_list)


def shown_count(site, model, query=""):
    """Returns how many rows the page says that there are."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    (count,) = re.findall(r'<div class="py-4">([^<]*?)</div>', site.get(f"{path}?{query}").content.decode())
    return " ".join(count.split()).removeprefix("- ")


# --- Every page -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_page_reads_few_rows_by_an_index(site, many_orders, monkeypatch):
    monkeypatch.setattr(changelists, "MOST_COUNTED", 100)
    faults, seen = [], 0
    for page in list(pages(site)):
        with CaptureQueriesContext(connection) as queries:
            response = site.get(page.url)
        assert response.status_code == 200, page
        statements = [query["sql"] for query in queries]
        faults += [(page.url, "long id", found) for found in LONG_ID.findall(text_of(response))]
        faults += [(page.url, "QUERIES", len(statements))] if len(statements) > 20 else []
        faults += [(page.url, fault, sql) for sql in statements for fault in faults_of(sql, page.model)]
        seen += 1
    assert not faults, "\n".join(map(str, faults))
    assert seen > 150


def test_every_other_page_takes_few_queries(site, operator):
    """Home, find, compare, orders in each style and as a draft, confirmations, batches, books and the rest."""
    make_sample()
    add_keys_and_actions()
    Order.objects.create(id=new_id(), customer=Customer.objects.get(), status="draft")
    counts = {}
    for path in (*(page.url for page in desk_pages()), *pages_of_the_admin()):
        with CaptureQueriesContext(connection) as queries:
            assert site.get(path).status_code in (200, 302), path
        counts[path] = len(queries)
    assert {path: count for path, count in counts.items() if count > 20} == {}
    assert len(counts) > 120


def text_of(response):
    """Returns the text of the rows, without what only a button or a link knows."""
    return re.sub(r"<[^>]*>", " ", response.content.decode().split('id="result_list"')[-1])


def faults_of(sql, model):
    """Yields what makes this statement slow on a large table."""
    if re.search(r"\bDISTINCT\b", sql):
        yield "DISTINCT"
    if re.search(r"LIKE (BINARY )?'%", sql):
        yield "LIKE"
    if "COUNT(" in sql and not re.search(r"FROM \(SELECT .* LIMIT \d+\)", sql):
        yield "COUNT"
    if sql.startswith("SELECT") and f"FROM {connection.ops.quote_name(model._meta.db_table)}" in sql:
        yield from faults_of_plan(sql)


def faults_of_plan(sql):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            yield from (line[-1] for line in cursor.fetchall() if "TEMP B-TREE FOR ORDER BY" in line[-1])
            return
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}")
        columns = [column[0] for column in cursor.description]
        for line in (dict(zip(columns, values, strict=True)) for values in cursor.fetchall()):
            is_scan = line["type"] == "ALL" and not line["table"].startswith("<derived")
            if is_scan or re.search("filesort|temporary", line["Extra"] or ""):
                yield line


def test_every_search_field_has_an_index():
    unindexed = set()
    for page in admins():
        firsts = {index.columns[0].name for index in indexes_of(page.model)}
        unindexed |= {
            (page.model._meta.label, f) for f in page.search_fields if f.strip("^").split("__")[0] not in firsts
        }
    assert unindexed == set()


# --- What a list shows ----------------------------------------------------------------------------


@pytest.fixture
def orders(transactional_db):
    customer = CustomerFactory(id="customer-1", name="Customer One")
    return Order.objects.bulk_create(
        Order(
            id=new_id(), customer=customer, status="completed" if n % 2 else "pending", region="JP" if n % 4 else "DE"
        )
        for n in range(60)
    )


def test_a_list_shows_the_newest_rows_first(site, orders):
    assert rows_of(site, Order) == orders[:-31:-1]
    assert rows_of(site, Order, "p=2") == orders[29::-1]


def test_a_list_is_counted_without_what_it_shows_of_each_row(site):
    with CaptureQueriesContext(connection) as queries:
        get(site, WebhookEndpoint)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "webhook_endpoints" in query["sql"]]
    assert counts and not any("webhook_deliveries" in sql for sql in counts)


def test_a_list_cannot_be_sorted_by_another_column(site, orders):
    assert rows_of(site, Order, "o=1.3") == rows_of(site, Order)
    assert get(site, Order).get_ordering_field_columns() == {}


def test_rows_are_counted_up_to_a_limit(site, orders, monkeypatch):
    assert shown_count(site, Order) == "60 orders"
    monkeypatch.setattr(changelists, "MOST_COUNTED", 55)
    assert shown_count(site, Order) == "more than 55 orders"
    assert len(rows_of(site, Order, "p=2")) == 25


def test_a_filter_with_an_index_finds_every_row(site, orders, monkeypatch):
    monkeypatch.setattr(changelists, "MOST_COUNTED", 40)
    assert shown_count(site, Order, "status__exact=pending") == "30 orders"


def test_a_filter_without_an_index_looks_among_the_first_rows(site, orders, monkeypatch):
    assert shown_count(site, Order, "region=DE") == "15 orders"
    monkeypatch.setattr(changelists, "MOST_COUNTED", 40)
    assert shown_count(site, Order, "region=DE") == "10 of the first 40 orders"
    assert shown_count(site, Order, "region=DE&status__exact=pending") == "15 orders"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status__exact=pending&status__exact=completed", "40 of the first 40 orders"),
        ("customer__exact=customer-1", "more than 40 orders"),
        ("total__gte=1", "0 of the first 40 orders"),
    ],
)
def test_a_filter_that_no_page_offers_is_bounded_too(site, orders, monkeypatch, query, count):
    monkeypatch.setattr(changelists, "MOST_COUNTED", 40)
    assert shown_count(site, Order, query) == count


def test_the_first_rows_of_an_index_include_those_without_a_value(transactional_db, site, monkeypatch):
    """Finished sagas do not wait: the column that follows the status in the index is NULL."""
    SagaInstance.objects.bulk_create(
        SagaInstance(order_id=new_id(), saga_type="orchestration", status="COMPLETED", payload={}) for _ in range(9)
    )
    monkeypatch.setattr(changelists, "MOST_COUNTED", 5)
    cl = get(site, SagaInstance, "status__exact=COMPLETED&saga_type=orchestration")
    assert cl.is_part and len(cl.result_list) == 5


def test_the_filter_for_attention_finds_unfinished_sagas(transactional_db, site):
    sagas = SagaInstance.objects.bulk_create(
        SagaInstance(order_id=new_id(), saga_type="orchestration", status=status, payload={}, attention=attention)
        for status, attention in [("STARTED", "Look"), ("STARTED", None), ("COMPENSATION_STARTED", "Look")]
    )
    assert {*rows_of(site, SagaInstance, "attention=required")} == {sagas[0], sagas[2]}


def test_members_of_a_group_are_found(site, operator):
    assert rows_of(site, type(operator), "group=1") == rows_of(site, type(operator), "group=x") == []
    operator.groups.add(1)
    assert rows_of(site, type(operator), "group=1") == [operator]


# --- What a search finds --------------------------------------------------------------------------


def test_an_order_is_found_by_its_id_and_its_customer(site, orders):
    assert rows_of(site, Order, f"q={orders[7].pk}") == rows_of(site, Order, f"q={orders[7].pk.hex} ") == [orders[7]]
    assert rows_of(site, Order, "q=customer-1") == orders[:-31:-1]
    assert rows_of(site, Order, "q=customer-1&status__exact=pending") == orders[-2::-2]


def test_a_customer_whose_code_begins_a_number_is_found_before_that_order(site, orders):
    number = orders[0].number
    own = Order.objects.create(customer=CustomerFactory(id=number[:4].lower()))
    assert rows_of(site, Order, f"q={own.customer_id}") == [own]
    assert rows_of(site, Order, f"q={number}") == [orders[0]]


@pytest.mark.parametrize(
    "term",
    ["customer", "nothing", "%", "_", "0", "99999999999999999999", "00000000-0000-4000-8000-000000000000", "x" * 500],
)
def test_a_search_for_no_key_finds_nothing(site, orders, term):
    for page in admins():
        if page.model._meta.label != "orders.Customer":
            assert rows_of(site, page.model, f"q={term}") == []


def test_a_customer_is_found_by_code_name_and_email(site, orders):
    customer = orders[0].customer
    for term in ("customer-1", "customer o", customer.email):
        assert rows_of(site, type(customer), f"q={term}") == [customer]
    assert "/admin/orders/order/?q=customer-1" in site.get("/admin/orders/customer/").content.decode()


def test_rows_of_an_order_are_found_by_the_orders_id(site, many_orders):
    saga = SagaInstance.objects.filter(saga_type="choreography", status="COMPLETED").first()
    payment = Payment.objects.get(order_id=saga.order_id)
    term = f"q={saga.order_id}"
    assert rows_of(site, Payment, term) == rows_of(site, Payment, f"q={payment.pk}") == [payment]
    receipts = EventReceipt.objects.filter(event__aggregate_id=saga.order_id)
    assert {*rows_of(site, EventReceipt, term)} == {*receipts}
    assert {*rows_of(site, StockEvent, term)} == {*StockEvent.objects.filter(order_id=saga.order_id)}


def test_a_page_says_what_its_search_takes(site, transactional_db):
    page = site.get("/admin/orders/customer/").content.decode()
    assert "Search by an exact code or email, or by the beginning of a name." in page


# --- Which index is used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "condition", "order", "others"),
    [
        (Order, Q(), ["-pk"], 0),
        (Order, Q(status="pending"), ["-created_at", "-id"], 0),
        (Order, Q(region="JP"), ["-pk"], 1),
        (Order, Q(status="pending", region="JP"), ["-created_at", "-id"], 1),
        (Order, Q(status="pending") | Q(status="draft"), ["-pk"], 1),
        (Order, ~Q(status="pending"), ["-pk"], 1),
        (Order, Q(customer__name="One"), ["-pk"], 1),
        (Order, Q(created_at__gte=NOW, created_at__lt=NOW), ["-created_at", "-id"], 0),
        (Order, Q(status="pending", created_at__gte=NOW), ["-created_at", "-id"], 0),
        (Order, Q(status="pending", total__gte=1), ["-created_at", "-id"], 1),
        (Order, Q(status__in=["pending", "draft"], created_at__gte=NOW), ["-status", "-created_at", "-id"], 1),
        (StockEvent, Q(shelf="book"), ["-version"], 0),
        (EventReceipt, Q(event__in=[new_id(), new_id()]), ["-event_id", "-consumer"], 0),
    ],
)
def test_a_query_is_read_by_the_index_that_finds_most(model, condition, order, others):
    plan = scan(model._default_manager.filter(condition))
    assert (plan.order, plan.others) == (order, others)


def test_only_a_filtered_list_offers_to_show_all(transactional_db, site):
    url = reverse("admin:orders_customer_changelist")
    assert '(<a href="?">' not in site.get(url).content.decode()
    assert '(<a href="?">' in site.get(url, {"q": "nobody"}).content.decode()
