"""Stock is a history: every change of it can be listed, and it can be seen as of any moment."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import StockEvent
from tests.conftest import signed_in

NUMBERS = ("total_quantity", "reserved_quantity", "available_quantity")


@pytest.fixture
def clerk(operator):
    return signed_in(operator)


@pytest.fixture
def walk(clerk, shelve):
    """A delivery, a hold that is given back, a hold that another takes, and a count: what was shown after each."""
    shelve("book-123", 0)
    orders = ["01a1fc13-06f4-71f7-ac05-df3857a063f2", "01a1fc13-06f5-71f7-ac05-df3857a063f2"]
    line = [{"book_id": "book-123", "quantity": 2}]
    steps = [
        ("book-123/add_stock", {"quantity": 100, "reason": "first print"}),
        ("reserve", {"order_id": orders[0], "items": line}),
        ("release", {"order_id": orders[0], "reason": "changed her mind"}),
        ("reserve", {"order_id": orders[1], "items": line}),
        ("book-123/adjust", {"delta": -1, "reason": "counted"}),
    ]
    shown = []
    for path, body in steps:
        assert clerk.post(f"/inventory/{path}", body).status_code == 200
        shown.append(numbers(clerk.get("/inventory/book-123").json()))
    return shown


def numbers(told):
    return tuple(told[name] for name in NUMBERS)


def test_the_stock_as_of_every_moment_is_what_was_shown_then(clerk, walk):
    assert walk == [(100, 0, 100), (100, 2, 98), (100, 0, 100), (100, 2, 98), (99, 2, 97)]
    events = clerk.get("/inventory/book-123/events", {"ordering": "version"}).json()["results"]
    assert len(events) == len(walk)
    for event, shown in zip(events, walk, strict=True):
        then = clerk.get("/inventory/book-123", {"as_of": event["happened_at"]}).json()
        assert numbers(then) == shown and then["version"] == event["version"]
    assert numbers(clerk.get("/inventory/book-123", {"as_of": "2999-12-31T23:59:59Z"}).json()) == walk[-1]
    assert numbers(clerk.get("/inventory/book-123", {"as_of": "2000-01-01T00:00:00+09:00"}).json()) == (0, 0, 0)


def test_the_history_says_who_and_why(clerk, walk):
    told = clerk.get("/inventory/book-123/events").json()["results"]
    assert [event["type"] for event in told] == [
        "StockAdjusted",
        "StockReserved",
        "ReservationCancelled",
        "StockReserved",
        "StockAdded",
    ]
    assert (told[0]["actor"], told[0]["reason"], told[0]["on_hand_delta"]) == ("operator", "counted", -1)
    assert told[2]["reason"] == "changed her mind" and told[2]["order_id"] == told[3]["order_id"]


def test_customers_see_the_history_but_not_whose_it_is(api, walk):
    told = api.get("/inventory/book-123/events").json()["results"]
    assert len(told) == 5
    assert not {"order_id", "reservation_id", "reference", "reason", "actor"} & told[0].keys()


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ({"type": "StockReserved"}, [4, 2]),
        ({"type": "StockReserved", "ordering": "version"}, [2, 4]),
        ({"happened_from": "2999-01-01T00:00:00Z"}, []),
        ({"happened_to": "2999-01-01T00:00:00Z", "page_size": "2"}, [5, 4]),
    ],
)
def test_the_history_is_filtered_and_ordered(clerk, walk, query, versions):
    answer = clerk.get("/inventory/book-123/events", query).json()
    assert [event["version"] for event in answer["results"]] == versions


def test_the_history_is_read_page_by_page(clerk, walk):
    seen, page = [], "/inventory/book-123/events?page_size=2"
    while page:
        answer = clerk.get(page).json()
        seen += [event["version"] for event in answer["results"]]
        page = answer["next"]
    assert seen == [5, 4, 3, 2, 1]


def test_a_moment_is_found_by_one_seek_however_long_the_history(clerk, walk):
    with CaptureQueriesContext(connection) as queries:
        clerk.get("/inventory/book-123", {"as_of": "2999-01-01T00:00:00Z"})
    (sql,) = [query["sql"] for query in queries if "stock_events" in query["sql"]]
    StockEvent.objects.bulk_create(
        StockEvent(
            shelf_id="book-123",
            version=version,
            type="StockAdjusted",
            on_hand_delta=0,
            reserved_delta=0,
            on_hand_after=99,
            reserved_after=2,
        )
        for version in range(6, 2006)
    )
    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN " if connection.vendor == "mysql" else "EXPLAIN QUERY PLAN ") + sql)
        plan = " ".join(str(column) for row in cursor.fetchall() for column in row).lower()
    assert "stock_events_by_time" in plan and "filesort" not in plan and "temp b-tree" not in plan, plan


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/inventory/book-123?as_of=yesterday", "as_of"),
        ("/inventory/book-123?as_of=0001-01-01T00:00:00%2B14:00", "as_of"),
        ("/inventory/book-123?as_of=9999-12-31T23:59:59-14:00", "as_of"),
        ("/inventory/book-123?colour=red", "colour"),
        ("/inventory/book-123/events?type=Stolen", "type"),
        ("/inventory/book-123/events?ordering=reason", "ordering"),
    ],
)
def test_a_wrong_parameter_is_named(api, shelve, path, field):
    shelve("book-123", 1)
    answer = api.get(path)
    assert answer.status_code == 400, answer.content
    assert {error["field"] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("path", ["/inventory/none/events", "/inventory/none?as_of=2026-11-21T00:00:00Z"])
def test_there_is_no_such_book(api, path):
    assert api.get(path).json()["code"] == "book_not_found"
