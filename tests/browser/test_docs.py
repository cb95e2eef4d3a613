"""/docs: the documentation of the API, to read and to try."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, signed_token
from tests.browser.faults import barriers, too_wide

LONGEST = 4000
"""Pixels of the longest operation when it is unfolded, on a desktop."""


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_authorize_is_on_the_first_screen(open_window, transactional_db, window):
    page = open_window(viewport=window)
    page.goto("/docs")
    expect(page.get_by_role("button", name="Authorize")).to_be_in_viewport(ratio=1)


def test_an_unfolded_operation_can_be_read_on_a_phone(open_window, transactional_db):
    page = open_window(bypass_csp=True)
    page.goto("/docs")
    operation = page.locator("#operations-orders-orders_create")
    operation.get_by_role("button", name="POST /orders Place").click()
    expect(operation.get_by_text("Responses", exact=True)).to_be_visible()
    assert operation.bounding_box()["height"] < LONGEST
    assert not list(barriers(page))
    page.set_viewport_size(PHONE)
    assert not too_wide(page)


def test_a_call_can_be_tried_with_a_token(open_window, customer):
    page = open_window()
    page.goto("/docs")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(signed_token(customer.user))
    page.get_by_label("Apply credentials").click()
    page.get_by_role("button", name="Close").click()
    operation = page.locator("#operations-orders-orders_list")
    operation.get_by_role("button", name="List orders").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table").get_by_role("cell", name="200").first).to_be_visible()


def test_the_description_leads_to_the_problem_codes(open_window, transactional_db):
    page = open_window()
    page.goto("/docs")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Problem codes").click()
    expect(opened.value.get_by_role("rowheader", name="payment_declined")).to_be_visible()
