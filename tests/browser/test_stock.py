"""An operator looks at a book's stock in the past, adds stock, and downloads a list."""

import pytest
from playwright.sync_api import expect

from tests.browser.faults import barriers
from tests.committed import reserve_stock
from tests.conftest import order_snapshot


@pytest.fixture
def held(shelve):
    shelve("book-123", 5)
    reserve_stock(order_snapshot(("book-123", 2)))


def test_an_operator_adds_stock_and_looks_back(held, open_window, operator):
    page = open_window(operator, bypass_csp=True)
    page.goto("/admin/inventory/book/book-123/change/")
    page.get_by_role("link", name="Add stock").click()
    page.get_by_label("Copies that have arrived").fill("3")
    page.get_by_label("Reason").fill("Delivery")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("On hand 5 → 8, available 3 → 6.")).to_be_visible()
    page.get_by_role("button", name="Add stock").click()
    levels = page.locator(".stock-levels dd")
    expect(levels.nth(0)).to_have_text("8")
    expect(page.get_by_role("cell", name="Delivery")).to_be_visible()
    page.locator(".stock-lines").click(position={"x": 1, "y": 20})
    expect(page.get_by_text("Show the stock now")).to_be_visible()
    expect(levels.nth(0)).to_have_text("5")
    assert list(barriers(page)) == []
    page.goto("/admin/inventory/book/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "book.csv"
