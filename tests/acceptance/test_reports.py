"""Reports of the stock: reservations by status and age, and movements by day and book, as JSON and as CSV."""

import csv
import html
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.ids import new_id
from inventory.models import Reservation, StockEvent, StockMovement
from inventory.movements import day_of
from inventory.projector import catch_up
from tests.committed import expire_reservations, let_reservations_expire

RESERVATIONS, MOVEMENTS = "/inventory/reports/reservations", "/inventory/reports/movements"
NOTHING = {"added": 0, "sold": 0, "returned": 0, "adjusted": 0, "reserved": 0, "released": 0, "expired": 0}


@pytest.fixture
def busy_day(api, desk, shelve, style):
    """Everything that can happen to a book happens to book-1, and a delivery to book-2. Returns the day."""
    shelve("book-1", 100)
    shelve("book-2", 7)
    line = {"book_id": "book-1", "quantity": 2}
    order = {**line, "payment_method": "credit_card", "saga": style}
    assert api.post("/orders", order).status_code == 201
    sold = api.post("/orders", order).json()["order_id"]
    assert api.post(f"/orders/{sold}/cancel").status_code == 200
    assert api.post("/orders", {**order, "payment_token": "tok_expired_card"}).status_code == 402
    assert desk.post("/inventory/book-1/adjust", {"delta": -3, "reason": "counted"}).status_code == 200
    desk.post("/inventory/reserve", {"order_id": str(new_id()), "items": [{**line, "quantity": 5}]})
    let_reservations_expire()
    expire_reservations(10)
    return day_of(StockEvent.objects.latest("happened_at").happened_at).isoformat()


def read_csv(response):
    assert response.status_code == 200 and response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(response.content.decode())))


def test_movements_are_summed_by_day_and_book(desk, busy_day):
    catch_up()
    page = desk.get(MOVEMENTS).json()
    by_book = {line["book_id"]: {name: line[name] for name in NOTHING} for line in page["results"]}
    assert by_book == {
        "book-1": {
            "added": 100, "sold": 4, "returned": 2, "adjusted": -3, "reserved": 11, "released": 2, "expired": 5,
        },
        "book-2": {**NOTHING, "added": 7},
    }  # fmt: skip
    assert {line["day"] for line in page["results"]} == {busy_day} and all(line["title"] for line in page["results"])
    assert page["lag"] == {"books": 0, "events": 0, "seconds": 0}


def test_movements_are_read_as_csv(desk, busy_day):
    catch_up()
    lines = (
        desk.get(MOVEMENTS, {"page_size": 1}).json()["results"]
        + desk.get(MOVEMENTS, {"page_size": 1, "page": 2}).json()["results"]
    )
    found = read_csv(desk.get(MOVEMENTS, headers={"Accept": "text/csv"}))
    assert found == [{name: str(value) for name, value in line.items()} for line in lines]
    refused = desk.get(MOVEMENTS, {"from": "yesterday"}, headers={"Accept": "text/csv"})
    assert refused.status_code == 400 and refused["Content-Type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == "from"


@pytest.fixture
def three_days(shelve):
    """Movements of two books on the first three days of November; the titles are formulas."""
    for book_id in ("-1", "book-2"):
        shelve(book_id, 0)
    StockMovement.objects.bulk_create(
        StockMovement(book_id=book_id, day=f"2026-11-0{day}", sold=day)
        for day in (3, 1, 2)
        for book_id in ("book-2", "-1")
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [(3, "book-2"), (3, "-1"), (2, "book-2"), (2, "-1"), (1, "book-2"), (1, "-1")]),
        ({"ordering": "day", "to": "2026-11-01"}, [(1, "-1"), (1, "book-2")]),
        ({"from": "2026-11-02", "to": "2026-11-02"}, [(2, "book-2"), (2, "-1")]),
        ({"from": "2026-11-02", "book_id": "-1"}, [(3, "-1"), (2, "-1")]),
        ({"book_id": "none"}, []),
    ],
)
def test_movements_by_period_and_book(desk, three_days, query, found):
    lines = desk.get(MOVEMENTS, query).json()["results"]
    assert [(line["sold"], line["book_id"]) for line in lines] == found
    assert [
        (int(line["sold"]), line["book_id"].removeprefix("'"))
        for line in read_csv(desk.get(MOVEMENTS, query, headers={"Accept": "text/csv"}))
    ] == found


@pytest.mark.parametrize(
    "query", ["from=2026-13-01", "to=01.11.2026", "from=20261101", "book_id=a b", "colour=red", "to="]
)
def test_a_wrong_parameter_is_named(desk, query):
    response = desk.get(f"{MOVEMENTS}?{query}")
    assert response.status_code == 400 and response.json()["errors"][0]["field"] == query.split("=")[0]


def test_a_csv_response_is_limited(desk, three_days, monkeypatch):
    monkeypatch.setattr("inventory.report_views.MOST_LINES", 5)
    csv_too = {"headers": {"Accept": "text/csv"}}
    assert desk.get(MOVEMENTS, **csv_too).status_code == 400
    assert len(read_csv(desk.get(MOVEMENTS, {"from": "2026-11-02"}, **csv_too))) == 4


# --- Reservations ---------------------------------------------------------------------------------


def ago(**duration):
    return DatabaseNow() - timedelta(**duration)


def ahead(**duration):
    return DatabaseNow() + timedelta(**duration)


@pytest.fixture
def reservations(shelve):
    """Reservations of every status and age."""
    shelve("book-1", 0)
    kinds = [
        ("active", 2, ago(minutes=1), ahead(seconds=50)),
        ("active", 3, ago(minutes=2), ahead(minutes=4)),
        ("active", 1, ago(minutes=50), ago(minutes=2)),
        ("active", 4, ago(minutes=50), ahead(hours=3)),
        ("confirmed", 1, ago(days=2), ago(days=2)),
        ("confirmed", 1, ago(days=3), ago(days=3)),
        ("released", 9, ago(days=10), ago(days=10)),
        ("expired", 1, ago(days=400), ago(days=400)),
    ]
    for status, copies, since, until in kinds:
        Reservation.objects.create(
            order_id=new_id(), shelf_id="book-1", quantity=copies, status=status, held_since=since, expires_at=until
        )


BY_AGE = [
    ("active", "up to 15 minutes", 2, 5),
    ("active", "15 to 60 minutes", 2, 5),
    ("confirmed", "1 to 7 days", 2, 2),
    ("expired", "over 30 days", 1, 1),
    ("released", "7 to 30 days", 1, 9),
]
BY_TIME = [("past expiry", 1, 1), ("up to 1 minute", 1, 2), ("1 to 5 minutes", 1, 3), ("over 60 minutes", 1, 4)]


def test_reservations_are_counted_by_status_and_age(desk, reservations):
    report = desk.get(RESERVATIONS).json()
    by_age = [(each["status"], each["age"], each["reservations"], each["copies"]) for each in report["by_age"]]
    by_time = [(each["time_to_expiry"], each["reservations"], each["copies"]) for each in report["by_time_to_expiry"]]
    assert (by_age, by_time) == (BY_AGE, BY_TIME)
    oldest = Reservation.objects.filter(status="active").earliest("held_since")
    assert report["oldest"]["reservation_id"] == str(oldest.pk) and report["oldest"]["book_id"] == "book-1"
    assert report["as_of"] > report["oldest"]["held_since"]


def test_reservations_are_counted_as_csv(desk, reservations):
    lines = [tuple(line.values()) for line in read_csv(desk.get(RESERVATIONS, headers={"Accept": "text/csv"}))]
    assert lines == [
        *[("age", status, age, str(number), str(copies)) for status, age, number, copies in BY_AGE],
        *[("time to expiry", "active", time, str(number), str(copies)) for time, number, copies in BY_TIME],
    ]


def test_a_shop_without_reservations_has_an_empty_report(desk):
    report = desk.get(RESERVATIONS).json()
    assert (report["by_age"], report["by_time_to_expiry"], report["oldest"]) == ([], [], None)


@pytest.mark.parametrize("path", [MOVEMENTS, RESERVATIONS])
def test_reports_are_for_operators(api, path):
    for accept in ("application/json", "text/csv"):
        refused = api.get(path, headers={"Accept": accept})
        assert refused.status_code == 403 and refused.json()["code"] == "permission_denied"


# --- In the admin ---------------------------------------------------------------------------------


def downloaded(response):
    assert response.status_code == 200 and "attachment" in response["Content-Disposition"]
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text, newline="")))


def test_operators_find_the_movements_of_a_period_in_the_admin(site, three_days):
    page, report = "/admin/inventory/stockmovement/", "/admin/inventory/stockmovement/report/"
    assert f'href="{report}"' in site.get(page).content.decode()
    shown = site.get(report, {"from": "2026-11-02", "book_id": "-1"}).content.decode()
    assert re.findall("<td>(2026-11-..)</td>", shown) == ["2026-11-03", "2026-11-02"] and "(Asia/Tokyo)" in shown
    (link,) = re.findall(r'href="([^"]*format=csv)"', shown)
    lines = downloaded(site.get(report + html.unescape(link)))
    assert [(line["day"], line["book_id"], line["sold"]) for line in lines] == [
        ("2026-11-03", "'-1", "3"),
        ("2026-11-02", "'-1", "2"),
    ]
    assert "Enter a valid date" in site.get(report, {"from": "soon"}).content.decode()


def test_a_download_in_the_admin_has_all_lines_or_is_refused(site, three_days, monkeypatch):
    report = "/admin/inventory/stockmovement/report/"
    monkeypatch.setattr("inventory.report_admin.MOST_SHOWN", 2)
    assert "The first 2 lines" in site.get(report).content.decode()
    assert len(downloaded(site.get(report, {"format": "csv"}))) == 6
    monkeypatch.setattr("inventory.report_admin.MOST_EXPORTED", 5)
    refused = site.get(report, {"format": "csv"})
    assert "More than 5 lines" in refused.content.decode() and "attachment" not in str(refused.headers)


def test_operators_find_the_reservations_by_status_in_the_admin(site, reservations):
    page, report = "/admin/inventory/reservation/", "/admin/inventory/reservation/report/"
    assert f'href="{report}"' in site.get(page).content.decode()
    assert "The oldest active reservation" in site.get(report).content.decode()
    assert len(downloaded(site.get(report, {"format": "csv"}))) == len(BY_AGE) + len(BY_TIME)


@pytest.mark.parametrize("model", ["stockmovement", "reservation"])
def test_a_report_in_the_admin_needs_the_permission_to_view(operator, site, model):
    operator.is_superuser = False
    operator.save()
    assert site.get(f"/admin/inventory/{model}/report/").status_code == 403
    operator.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert site.get(f"/admin/inventory/{model}/report/").status_code == 200
