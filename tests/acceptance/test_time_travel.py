"""The history of the stock: its events can be listed, and the stock shown as of any time."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import StockEvent
from inventory.selectors import FIRST_PAGE, inventory_at
from tests.committed import expire_reservations, let_reservations_expire

NUMBERS = ("total_quantity", "reserved_quantity", "available_quantity")


@pytest.fixture
def walk(desk, shelve):
    """A delivery, a released reservation, a sale and an adjustment; returns what was shown after each."""
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
        assert desk.post(f"/inventory/{path}", body).status_code == 200
        shown.append(numbers(desk.get("/inventory/book-123").json()))
    return shown


def numbers(body):
    return tuple(body[name] for name in NUMBERS)


def test_the_stock_as_of_a_time_is_what_was_shown_then(desk, walk):
    assert walk == [(100, 0, 100), (100, 2, 98), (100, 0, 100), (100, 2, 98), (99, 2, 97)]
    events = desk.get("/inventory/book-123/events", {"ordering": "version"}).json()["results"]
    assert len(events) == len(walk)
    for event, shown in zip(events, walk, strict=True):
        then = desk.get("/inventory/book-123", {"as_of": event["happened_at"]}).json()
        assert numbers(then) == shown and then["version"] == event["version"]
    assert numbers(desk.get("/inventory/book-123", {"as_of": "2999-12-31T23:59:59Z"}).json()) == walk[-1]
    assert numbers(desk.get("/inventory/book-123", {"as_of": "2000-01-01T00:00:00+09:00"}).json()) == (0, 0, 0)


def holds(client, **query):
    """Returns order and copies of each reservation that is shown of the book."""
    shown = client.get("/inventory/book-123", query).json()["reservations"]
    return [(hold["order_id"], hold["quantity"]) for hold in shown]


@pytest.fixture
def shown(desk, api, shelve):
    """Reserves, changes, releases, sells and returns copies; returns what was shown of the holds after each event."""
    shelve("book-123", 100)
    seen = {}

    def see():
        event = StockEvent.objects.latest("version")
        seen[event.version] = (event.happened_at.isoformat(), sorted(holds(desk)))

    def act(response):
        assert response.status_code in {200, 201}, response.json()
        see()
        return response.json()

    first, second = ("01a1fc13-06f4-71f7-ac05-df3857a063f2", "01a1fc13-06f5-71f7-ac05-df3857a063f2")
    see()
    line = {"book_id": "book-123", "quantity": 2}
    act(desk.post("/inventory/reserve", {"order_id": first, "items": [line]}))
    draft = api.post("/orders", {}).json()["order_id"]
    act(api.post(f"/orders/{draft}/items", line))
    act(api.post(f"/orders/{draft}/items", line))
    act(desk.post("/inventory/reserve", {"order_id": second, "items": [{**line, "quantity": 5}]}))
    act(api.put(f"/orders/{draft}/items/book-123", {"quantity": 1}))
    act(desk.post("/inventory/release", {"order_id": first}))
    act(desk.post("/inventory/book-123/add_stock", {"quantity": 9}))
    act(api.post(f"/orders/{draft}/confirm", {"payment_method": "credit_card"}))
    act(api.post(f"/orders/{draft}/cancel"))
    let_reservations_expire()
    expire_reservations(10)
    see()
    return seen


def test_the_holds_as_of_a_time_are_those_that_were_shown_then(desk, shown):
    assert len(shown) == 11 and shown[10][1] and not shown[11][1]
    for version, (moment, then) in shown.items():
        assert sorted(holds(desk, as_of=moment)) == then, version
        body = desk.get("/inventory/book-123", {"as_of": moment}).json()
        assert body["version"] == version
        assert sum(hold["quantity"] for hold in body["reservations"]) == body["reserved_quantity"]


def test_a_past_hold_says_since_when(desk, shown):
    (draft, *_) = desk.get("/inventory/book-123", {"as_of": shown[6][0]}).json()["reservations"][1:]
    assert draft["quantity"] == 1 and draft["held_since"] == shown[3][0].replace("+00:00", "Z")


def test_customers_see_past_holds_without_their_orders(api, shown):
    past = api.get("/inventory/book-123", {"as_of": shown[5][0]}).json()["reservations"]
    assert [hold.keys() for hold in past] == [{"quantity", "held_since"}] * 3


def test_the_history_has_actor_and_reason(desk, walk):
    events = desk.get("/inventory/book-123/events").json()["results"]
    assert [event["type"] for event in events] == [
        "StockAdjusted",
        "StockReserved",
        "ReservationCancelled",
        "StockReserved",
        "StockAdded",
    ]
    assert (events[0]["actor"], events[0]["reason"], events[0]["on_hand_delta"]) == ("operator", "counted", -1)
    assert events[2]["reason"] == "changed her mind" and events[2]["order_id"] == events[3]["order_id"]


def test_customers_see_the_history_without_its_orders(api, walk):
    events = api.get("/inventory/book-123/events").json()["results"]
    assert len(events) == 5
    assert not {"order_id", "reservation_id", "reference", "reason", "actor"} & events[0].keys()


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ({"type": "StockReserved"}, [4, 2]),
        ({"type": "StockReserved", "ordering": "version"}, [2, 4]),
        ({"happened_from": "2999-01-01T00:00:00Z"}, []),
        ({"happened_to": "2999-01-01T00:00:00Z", "page_size": "2"}, [5, 4]),
    ],
)
def test_the_history_is_filtered_and_ordered(desk, walk, query, versions):
    body = desk.get("/inventory/book-123/events", query).json()
    assert [event["version"] for event in body["results"]] == versions


def test_the_history_is_read_page_by_page(desk, walk):
    seen, page = [], "/inventory/book-123/events?page_size=2"
    while page:
        body = desk.get(page).json()
        seen += [event["version"] for event in body["results"]]
        page = body["next"]
    assert seen == [5, 4, 3, 2, 1]


def test_the_stock_as_of_a_time_is_found_by_an_index_seek(desk, walk):
    """Its holds are read from the events back to the beginning of the oldest of them, and a page at most beyond."""
    past = StockEvent.objects.get(version=1).happened_at
    held = StockEvent.objects.get(version=4)
    sale = {"shelf_id": "book-123", "on_hand_after": 97, "type": "ReservationConfirmed"}
    keys = {"reservation_id": held.reservation_id, "order_id": held.order_id}
    StockEvent.objects.bulk_create(
        StockEvent(
            **sale,
            **keys,
            version=version,
            on_hand_delta=0,
            reserved_delta={6: -2, 3000: 1}.get(version, 0),
            reserved_after=1 if version >= 3000 else 0,
            happened_at=past + timedelta(hours=version),
        )
        for version in range(6, 3006)
    )
    for version, holds in [(2, 1), (5, 1), (1500, 0), (3005, 1)]:
        moment = StockEvent.objects.get(version=version).happened_at

        def look(moment=moment, version=version, holds=holds):
            stock = inventory_at("book-123", moment)
            assert (stock["version"], len(stock["reservations"])) == (version, holds)

        holds_read = FIRST_PAGE + 1 + holds if holds else 0
        assert rows_read(look) <= 5 + holds_read, "the book, the time, the event; a page of events, and each hold"


def rows_read(act):
    """The number of rows or index entries that the database has read; on SQLite only whether it seeks."""
    if connection.vendor == "sqlite":
        with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
            act()
            for query in list(queries):
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                assert all("SEARCH" in row[-1] for row in cursor.fetchall()), query["sql"]
        return 0
    before = handlers()
    act()
    return handlers() - before


def handlers():
    """The read counters of this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS WHERE Variable_name REGEXP '^Handler_read_(key|next|prev|rnd|first|last)'")
        return sum(int(value) for name, value in cursor.fetchall() if "rnd" not in name)


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
    response = api.get(path)
    assert response.status_code == 400, response.content
    assert {error["field"] for error in response.json()["errors"]} == {field}


@pytest.mark.parametrize("path", ["/inventory/none/events", "/inventory/none?as_of=2026-11-21T00:00:00Z"])
def test_an_unknown_book_is_refused(api, path):
    assert api.get(path).json()["code"] == "book_not_found"
