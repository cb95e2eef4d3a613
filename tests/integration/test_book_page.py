"""The page of a book: its stock now and then, its holds and movements; and adding and correcting its stock."""

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cloudmart.kernel.ids import new_id
from cloudmart.outbox.models import OutboxEvent
from cloudmart.pages.cells import order_link
from inventory.cells import LOW_STOCK
from inventory.charts import LINES
from inventory.models import InventoryRecord, StockEvent, StockMovement
from inventory.projector import catch_up
from inventory.selectors import sample_of
from tests.acceptance.test_matrix import named, staff_with
from tests.committed import add_stock, let_reservations_expire, reserve_stock, set_low_stock_threshold
from tests.conftest import order_snapshot
from tests.factories import BookFactory

PAGE = "/admin/inventory/book/book-123/change/"
ADD, ADJUST = (f"/admin/inventory/book/book-123/{command}-stock/" for command in ("add", "adjust"))


@pytest.fixture
def held(shelve):
    """An order that holds two of five copies."""
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2))
    reserve_stock(order)
    return order


def levels_of(page):
    return [copies for _, copies in page.context["stock_page"]["levels"]]


def test_the_page_shows_levels_holds_and_movements_with_their_orders(site, held):
    with CaptureQueriesContext(connection) as queries:
        page = site.get(PAGE)
    assert len(queries) <= 20
    text = page.content.decode()
    assert levels_of(page) == [5, 2, 3]
    assert text.count(order_link(held.order_id)) == 2, "of the hold, and of its movement"
    reserved, added = (row.event for row in page.context["stock_page"]["movements"]["rows"])
    assert (reserved.type, added.type) == ("StockReserved", "StockAdded")
    assert "5 (+5)" in text and "2 (+2)" in text and held.actor in text
    let_reservations_expire()
    assert "past expiry" in site.get(PAGE).content.decode()


def test_the_page_counts_sold_copies_without_those_returned_and_links_to_the_holds_it_leaves_out(
    site, held, monkeypatch
):
    all_holds = "All active reservations of this book"
    reserve_stock(order_snapshot(("book-123", 1)))
    StockMovement.objects.create(book_id="book-123", day="2026-01-01", sold=3, returned=1)
    page = site.get(PAGE)
    assert page.context["stock_page"]["sold"] == 2 and all_holds not in page.content.decode()
    monkeypatch.setattr("inventory.book_page.MOST_HOLDS", 1)
    page = site.get(PAGE)
    assert len(page.context["stock_page"]["holds"]) == 1 and all_holds in page.content.decode()


def test_a_moment_shows_the_stock_and_the_holds_of_then(site, held):
    first = StockEvent.objects.get(shelf="book-123", version=1).happened_at
    page = site.get(PAGE, {"as_of": first.isoformat()})
    assert levels_of(page) == [5, 0, 5]
    assert page.context["stock_page"]["holds"] == []
    assert page.context["stock_page"]["chart"].chosen == 0
    assert page.content.decode().count('aria-current="true"') == 1
    assert levels_of(site.get(PAGE, {"as_of": "2000-01-01T00:00"})) == [0, 0, 0]
    for no_moment in ("yesterday", "0001-01-01T00:00"):
        page = site.get(PAGE, {"as_of": no_moment})
        assert levels_of(page) == [5, 2, 3] and 'role="alert"' in page.content.decode()


def test_a_moment_without_an_offset_is_of_the_shops_time_zone(site, held, settings):
    page = site.get(PAGE, {"as_of": "2026-01-01T09:00"})
    moment = page.context["stock_page"]["form"].moment
    assert moment.isoformat() == "2026-01-01T09:00:00+09:00"
    assert 'value="2026-01-01T09:00:00"' in page.content.decode()


def test_the_chart_draws_each_change_and_describes_itself(site, held):
    text = site.get(PAGE).content.decode()
    for line in LINES:
        (points,) = re.findall(f'class="stock-line stock-{line}" points="([^"]*)"', text)
        assert len(points.split()) == 2 * StockEvent.objects.filter(shelf="book-123").count()
    assert re.search(r'role="img" aria-label="[^"]*5 on hand, of which 2 are reserved', text)


def test_a_long_history_has_pages_and_its_chart_is_a_sample(site, shelve, monkeypatch):
    monkeypatch.setattr("inventory.book_page.MOVEMENTS_ON_A_PAGE", 5)
    monkeypatch.setattr("inventory.selectors.MOST_DRAWN", 4)
    shelve("book-long", 1)
    for _ in range(11):
        add_stock("book-long", 1)
    assert [event.version for event in sample_of("book-long", 12)] == [1, 3, 6, 9, 12]
    path = "/admin/inventory/book/book-long/change/"

    def versions(query):
        return [row.event.version for row in site.get(path, query).context["stock_page"]["movements"]["rows"]]

    def as_of_by_the_links_to_other_pages(query):
        queries = re.findall(r'href="(\?page=[^"]*)#movements"', site.get(path, query).content.decode())
        return [site.get(path + unescape(each)).context["stock_page"]["version"] for each in queries]

    assert versions({}) == [12, 11, 10, 9, 8] and versions({"page": 3}) == [2, 1]
    sixth = StockEvent.objects.get(shelf="book-long", version=6).happened_at
    assert versions({"as_of": sixth.isoformat()}) == [7, 6, 5, 4, 3], "the page of the moment"
    assert as_of_by_the_links_to_other_pages({"as_of": sixth.isoformat()}) == [6, 6]
    assert "The chart shows 5 of the movements" in site.get(path).content.decode()


def test_the_history_of_a_stock_record_is_on_the_page_of_its_book(site, shelve):
    shelve("book-new", 0)
    response = site.get("/admin/inventory/inventoryrecord/book-new/history/", follow=True)
    assert response.redirect_chain == [("/admin/inventory/book/book-new/change/", 302)]
    assert "Nothing has moved yet." in response.content.decode()


# --- Adding and correcting ------------------------------------------------------------------------


def body(copies, **more):
    return {"copies": copies, "reason": "Counted twice", "reference": str(new_id()), **more}


def on_hand():
    return InventoryRecord.objects.get(pk="book-123").on_hand


def test_stock_is_added_after_a_confirmation_that_says_the_consequence(site, held):
    sent = body(3)
    page = site.post(ADD, sent).content.decode()
    assert "On hand 5 → 8, available 3 → 6." in page and "Counted twice" in page
    assert on_hand() == 5 and StockEvent.objects.filter(type="StockAdded").count() == 1
    done = site.post(ADD, {**sent, "confirmed": "1"}, follow=True)
    assert "On hand 5 → 8, available 3 → 6." in done.content.decode()
    added = StockEvent.objects.filter(shelf="book-123").latest("version")
    assert (added.on_hand_delta, added.actor, added.reason) == (3, "operator", "Counted twice")
    again = site.post(ADD, {**sent, "confirmed": "1"}, follow=True)
    assert "was changed already" in again.content.decode() and on_hand() == 8


def test_an_adjustment_below_what_is_reserved_is_refused_in_words(site, held):
    for step in ({}, {"confirmed": "1"}):
        page = site.post(ADJUST, body(-4, **step))
        assert "At most 3 copies can be removed: 5 are on hand" in page.content.decode()
    assert on_hand() == 5
    site.post(ADJUST, body(-3, confirmed="1"))
    assert on_hand() == 2
    let_reservations_expire()
    assert "On hand 2 → 0, available 0 → 0." in site.post(ADJUST, body(-2)).content.decode()
    assert InventoryRecord.objects.get().reserved == 2, "a preview changes nothing"


@pytest.mark.parametrize("wrong", [{"copies": 0}, {"copies": "x"}, {"reason": ""}, {"reference": "1"}])
def test_an_incomplete_change_of_stock_is_not_made(site, held, wrong):
    for path in (ADD, ADJUST):
        assert site.post(path, {**body(1, confirmed="1"), **wrong}).status_code == 200
    assert on_hand() == 5


def test_each_change_of_stock_needs_its_permission(held):
    adder = Client()
    adder.force_login(staff_with(*map(named, ("inventory.view_book", "inventory.add_stock"))))
    page = adder.get(PAGE).content.decode()
    assert f'href="{ADD}"' in page and "adjust-stock/" not in page
    assert adder.get(ADD).status_code == 200
    assert adder.get(ADJUST).status_code == adder.post(ADJUST, body(1, confirmed="1")).status_code == 403


def test_a_book_without_stock_has_a_page_and_no_change_of_stock(site):
    for book in ("none", BookFactory(id="bare").pk):
        assert site.get(f"/admin/inventory/book/{book}/add-stock/").status_code == 404
        assert site.post(f"/admin/inventory/book/{book}/add-stock/", body(1, confirmed="1")).status_code == 404
    assert site.get("/admin/inventory/book/bare/change/").status_code == 200


# --- The threshold --------------------------------------------------------------------------------


def test_an_operator_sets_the_threshold_of_a_book(site, held):
    book = {"title": "Book", "price": 1000}
    assert 'name="low_stock_threshold"' in site.get(PAGE).content.decode()
    assert site.post(PAGE, {**book, "low_stock_threshold": 3}).status_code == 302
    assert InventoryRecord.objects.get().low_stock_threshold == 3
    assert OutboxEvent.objects.get().payload["available"] == 3, "announced at once"
    page = site.get(PAGE)
    assert str(page.context["stock_page"]["state"]) == str(LOW_STOCK)
    assert 'value="3"' in page.content.decode()
    assert site.post(PAGE, {**book, "low_stock_threshold": 3}).status_code == 302
    assert site.post(PAGE, {**book, "low_stock_threshold": ""}).status_code == 302
    assert InventoryRecord.objects.get().low_stock_threshold is None and OutboxEvent.objects.count() == 1
    history = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert "low stock threshold: none → 3" in history[0] and history[-1] == "low stock threshold: 3 → none"
    for wrong in (-1, "x", 2_000_000_001):
        assert site.post(PAGE, {**book, "low_stock_threshold": wrong}).status_code == 200


def test_a_new_book_can_have_a_threshold(site):
    book = {"id": "book-new", "title": "New", "price": 5, "low_stock_threshold": 0}
    assert site.post("/admin/inventory/book/add/", book).status_code == 302
    assert InventoryRecord.objects.get().low_stock_threshold == 0


def test_who_may_only_view_a_book_sees_its_threshold(held):
    set_low_stock_threshold("book-123", 4321)
    viewer = Client()
    viewer.force_login(staff_with(named("inventory.view_book")))
    page = viewer.get(PAGE)
    assert levels_of(page) == [5, 2, 3]
    assert page.content.decode().count("4321") == 2, "beside the levels, and in the form"


# --- The list -------------------------------------------------------------------------------------


def test_books_with_little_stock_are_found(site, shelve, held):
    shelve("book-many", 50)
    shelve("book-none", 0)
    shelve("book-few", 1)
    for book, threshold in [("book-123", 3), ("book-many", 49), ("book-none", 0)]:
        set_low_stock_threshold(book, threshold)
    catch_up()

    def found(query):
        return [book.pk for book in site.get(f"/admin/inventory/book/?{query}").context["cl"].result_list]

    assert found("stock=low") == ["book-123"]
    assert found("stock=out") == ["book-none"]
    page = site.get("/admin/inventory/book/").content.decode()
    assert ">out of stock</span>" in page and ">low</span>" in page


def test_books_without_stock_that_are_not_all_listed_are_said_to_be_more(site, shelve, monkeypatch):
    for number in range(4):
        shelve(f"book-{number}", 0)
    catch_up()
    assert "first" not in site.get("/admin/inventory/book/csv/?stock=out")["Content-Disposition"]
    monkeypatch.setattr("cloudmart.pages.changelists.MOST_COUNTED", 3)
    assert "more than 3 books" in " ".join(site.get("/admin/inventory/book/?stock=out").content.decode().split())
    for query in ("stock=out", "stock=out&archived__exact=0"):
        file = site.get(f"/admin/inventory/book/csv/?{query}")
        assert 'filename="book-first-3.csv"' in file["Content-Disposition"]
        assert len(file.getvalue().decode().splitlines()) == 1 + 3


def test_a_book_whose_code_has_an_underscore_has_its_stock_and_commands(site, shelve):
    """The admin writes some characters in an address as an underscore with two digits, and reads them so."""
    shelve("vol_22", 5)
    for address in (site.get("/admin/inventory/book/", {"q": "vol_22"}), site.get("/admin/inventory/stockevent/")):
        url = re.search(r'href="(/admin/inventory/book/vol[^"]*/change/)', address.content.decode())[1]
        page = site.get(url)
        assert page.status_code == 200 and levels_of(page) == [5, 0, 5]
    (add, _adjust) = (command["url"] for command in page.context["stock_commands"])
    asked = site.post(add, {"copies": 2, "reason": "arrived", "reference": str(new_id())})
    assert url in asked.content.decode()
    sent = {**asked.context["form"].cleaned_data, "confirmed": "1"}
    assert site.post(add, sent)["Location"] == url
    assert levels_of(site.get(url)) == [7, 0, 7]
