"""Lists: filters, order and pages."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.kernel.ids import first_id, new_id
from inventory.projector import catch_up
from orders.models import Order
from sagas.models import SagaInstance, State
from tests.committed import expire_reservations, let_reservations_expire, reserve_stock
from tests.conftest import order_snapshot, signed_in
from tests.factories import BookFactory, CustomerFactory

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def orders(customer):
    """Ten orders, a minute apart, alternately orchestrated and completed, or choreographed and cancelled."""
    kinds = [("orchestration", "completed"), ("choreography", "cancelled")]
    return [
        Order.objects.create(
            customer=customer, saga_style=style, status=status, created_at=NOON + timedelta(minutes=number)
        )
        for number in range(10)
        for style, status in [kinds[number % 2]]
    ]


def numbers(client, orders, **query):
    """The numbers of the listed orders."""
    response = client.get("/orders", query)
    assert response.status_code == 200, response.json()
    place = {str(order.pk): number for number, order in enumerate(orders)}
    return [place[line["order_id"]] for line in response.json()["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"ordering": "created_at"}, list(range(10))),
        ({"status": "completed"}, [8, 6, 4, 2, 0]),
        ({"saga": "choreography", "ordering": "created_at"}, [1, 3, 5, 7, 9]),
        ({"created_from": "2026-11-21T12:03:00Z", "created_to": "2026-11-21T12:06:00Z"}, [5, 4, 3]),
        ({"created_from": "2026-11-21T21:08:00+09:00"}, [9, 8]),
        ({"customer_id": "customer-001", "status": "cancelled", "page_size": "2"}, [9, 7]),
        ({"customer_id": "customer-002"}, []),
    ],
)
def test_orders_by_filter_and_order(operator, orders, query, found):
    assert numbers(signed_in(operator), orders, **query) == found


def test_no_filter_finds_another_customers_orders(orders):
    other = signed_in(CustomerFactory(id="customer-002").user)
    assert numbers(other, orders, customer_id="customer-001") == []


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_every_order_is_on_one_page_even_with_equal_times(api, orders, ordering):
    Order.objects.update(created_at=NOON)
    seen, page = [], "/orders?page_size=3&ordering=" + ordering
    while page:
        body = api.get(page).json()
        seen += [line["order_id"] for line in body["results"]]
        page = body["next"]
    assert seen == sorted(seen, reverse=ordering.startswith("-")) and len(set(seen)) == 10


def test_a_new_order_does_not_shift_the_pages(api, customer, orders):
    first = api.get("/orders", {"page_size": 5}).json()
    Order.objects.create(customer=customer, created_at=NOON + timedelta(hours=1))
    second = api.get(first["next"]).json()
    assert {line["order_id"] for line in first["results"] + second["results"]} == {str(order.pk) for order in orders}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/orders?status=lost", "status"),
        ("/orders?saga=dance", "saga"),
        ("/orders?created_from=yesterday", "created_from"),
        ("/orders?created_to=0001-01-01T00:00:00%2B14:00", "created_to"),
        ("/orders?created_to=9999-12-31T23:59:59-14:00", "created_to"),
        ("/orders?ordering=total", "ordering"),
        ("/orders?ordering=created_at,-created_at", "ordering"),
        ("/orders?page_size=0", "page_size"),
        ("/orders?page_size=201", "page_size"),
        ("/orders?page_size=many", "page_size"),
        ("/orders?page_size=" + "9" * 5000, "page_size"),
        ("/orders?colour=red", "colour"),
        ("/orders?status=", "status"),
        ("/orders?status=draft&status=pending", "status"),
        ("/orders?customer_id=a%00b", "customer_id"),
        ("/inventory?in_stock=perhaps", "in_stock"),
        ("/inventory?page=x", "page"),
        ("/inventory?page=0", "page"),
        ("/inventory?page=-1", "page"),
        ("/inventory?page=%2B1", "page"),
        ("/inventory?page=last", "page"),
        ("/inventory?page=1_0", "page"),
        ("/inventory?ordering=colour", "ordering"),
        ("/inventory?colour=red", "colour"),
    ],
)
def test_a_wrong_parameter_is_named(api, path, field):
    response = api.get(path)
    assert response.status_code == 400, response.content
    assert {error["field"] for error in response.json()["errors"]} == {field}


@pytest.mark.parametrize("page", [2, 10**18, "1" + "0" * 5000])
def test_an_unknown_page_is_refused(api, page):
    response = api.get("/inventory", {"page": page})
    assert response.status_code == 404 and response.json()["code"] == "page_not_found"


@pytest.fixture
def sagas():
    """Five sagas, a minute apart: two completed, one failed, one that waits for an operator, one abandoned."""
    kinds = [
        {"status": State.COMPLETED},
        {"status": State.FAILED, "saga_type": "choreography"},
        {"status": State.COMPENSATION_STARTED, "attention": "The gateway cannot be reached."},
        {"status": State.COMPENSATION_STARTED, "attention": "The card is closed.", "abandoned_at": NOON},
        {"status": State.COMPLETED, "saga_type": "choreography"},
    ]
    return [
        SagaInstance.objects.create(
            id=UUID(int=first_id(NOON + timedelta(minutes=number)).int + 1),
            **{"order_id": new_id(), "saga_type": "orchestration", "payload": {}, **kind},
        )
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"ordering": "id"}, [0, 1, 2, 3, 4]),
        ({"status": "COMPLETED"}, [4, 0]),
        ({"status": "FAILED", "style": "orchestration"}, []),
        ({"style": "choreography"}, [4, 1]),
        ({"attention": "required"}, [2]),
        ({"abandoned": "true"}, [3]),
        ({"abandoned": "false", "status": "COMPENSATION_STARTED"}, [2]),
        ({"started_from": "2026-11-21T12:01:00Z", "started_to": "2026-11-21T12:03:00Z"}, [2, 1]),
        ({"page_size": "2"}, [4, 3]),
    ],
)
def test_sagas_by_filter(operator, sagas, query, found):
    body = signed_in(operator).get("/saga", query).json()
    place = {str(saga.order_id): number for number, saga in enumerate(sagas)}
    assert [place[line["order_id"]] for line in body["results"]] == found
    assert bool(body["next"]) == ("page_size" in query)


def test_every_saga_is_on_one_page(operator, sagas):
    seen, page, client = [], "/saga?page_size=2&ordering=id", signed_in(operator)
    while page:
        body = client.get(page).json()
        seen += [line["saga_id"] for line in body["results"]]
        page = body["next"]
    assert seen == [str(saga.pk) for saga in sagas]


@pytest.fixture
def shelves(shelve):
    for book_id, title, copies, price in [
        ("book-1", "Domain-Driven Design", 5, 900),
        ("book-2", "Designing Data", 0, 700),
        ("book-3", "100% Python", 3, 800),
    ]:
        shelve(book_id, copies, price=price)
        BookFactory._meta.model.objects.filter(pk=book_id).update(title=title)
    catch_up()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["book-1", "book-2", "book-3"]),
        ({"in_stock": "true"}, ["book-1", "book-3"]),
        ({"in_stock": "false"}, ["book-2"]),
        ({"title": "design"}, ["book-1", "book-2"]),
        ({"title": "%"}, ["book-3"]),
        ({"ordering": "-price"}, ["book-1", "book-3", "book-2"]),
        ({"ordering": "title"}, ["book-3", "book-2", "book-1"]),
        ({"ordering": "available_quantity"}, ["book-2", "book-3", "book-1"]),
        ({"page_size": "2", "page": "2"}, ["book-3"]),
    ],
)
def test_books_by_filter_and_order(api, shelves, query, found):
    body = api.get("/inventory", query).json()
    assert [line["book_id"] for line in body["results"]] == found


def test_a_listed_book_equals_the_single_book(api, shelves):
    reserve_stock(order_snapshot(("book-1", 5)))
    reserve_stock(order_snapshot(("book-3", 1)))
    let_reservations_expire(shelf="book-1")
    expire_reservations(10)
    catch_up()
    listed = {line["book_id"]: line for line in api.get("/inventory").json()["results"]}
    for book_id, line in listed.items():
        alone = api.get(f"/inventory/{book_id}").json()
        assert alone.pop("reservations") is not None and alone == line
    assert api.get("/inventory", {"in_stock": "true"}).json()["count"] == 2


MANY = 20_000


@pytest.fixture
def many_orders(customer):
    """Orders of twenty customers in three statuses, enough that a plan without an index is slower."""
    customers = [customer, *CustomerFactory.create_batch(19)]
    statuses = ["completed"] * 8 + ["cancelled", "pending"]
    Order.objects.bulk_create(
        (
            Order(
                id=new_id(),
                customer=customers[number % 20],
                status=statuses[number % 10],
                saga_style="orchestration" if number % 10 else "choreography",
                created_at=NOON + timedelta(seconds=number),
            )
            for number in range(MANY)
        ),
        batch_size=1000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE orders" if connection.vendor == "mysql" else "ANALYZE")
        cursor.fetchall()


def plan_of(act):
    """The query plan of the orders that `act` requests."""
    with CaptureQueriesContext(connection) as queries:
        act()
    (sql,) = [query["sql"] for query in queries if re.search("FROM .orders. .*LIMIT", query["sql"])]
    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN " if connection.vendor == "mysql" else "EXPLAIN QUERY PLAN ") + sql)
        return " ".join(str(column) for row in cursor.fetchall() for column in row).lower()


def test_a_deep_page_is_read_from_an_index(operator, many_orders):
    """Without a sort, so that only the rows of the page are read."""
    client = signed_in(operator)
    for query, index in {
        "": "orders_by_time",
        "?ordering=created_at": "orders_by_time",
        "?created_from=2026-11-21T13:00:00Z": "orders_by_time",
        "?status=pending": "orders_by_status",
        "?customer_id=customer-001": "orders_of_customer",
        "?saga=choreography": "orders_by_time",
    }.items():
        page = f"/orders{query}"
        for _ in range(3):
            page = client.get(page).json()["next"]
        plan = plan_of(lambda page=page: client.get(page))
        assert index in plan and "filesort" not in plan and "temp b-tree" not in plan, (query, plan)
