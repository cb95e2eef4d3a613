"""An operator finds an order that has failed or waits, reads why, and mends it."""

import re

import pytest
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import expect

from inventory.models import InventoryRecord
from tests.committed import run_worker
from tests.conftest import available

ONE_FAILS = 4
"""Requests without a response that make one charge wait: three attempts and a question for its outcome."""
UNKNOWN = "Payment gateway: it is not known whether the charge was made"


@pytest.fixture
def stuck(place, shelve, outside):
    """The id of an order that needs attention: the payment gateway does not respond, also when it is asked again."""
    shelve("book-123", copies=5, price=3500)
    outside.turn("payments", drop_before=1000)
    order_id = place()
    run_worker()
    return order_id


def test_a_waiting_order_is_found_by_its_customer_and_completes_when_it_is_retried(desk, stuck, outside):
    desk.open("index")
    desk.find("田中")
    desk.card("Newest orders of 田中太郎").get_by_role("link").first.click()
    expect(desk.outcome).to_contain_text("Needs attention")
    expect(desk.outcome).to_contain_text(UNKNOWN)
    expect(desk.outcome).to_contain_text("1 copy is reserved")
    outside.turn("payments")
    desk.command("Retry")
    expect(desk.outcome).to_contain_text("Completed: paid, sold and handed to the carrier")
    expect(desk.card("Money").get_by_role("row", name="Net")).to_contain_text("¥3,850")


def test_a_failed_order_says_why_and_what_is_undone(desk, place, shelve):
    shelve("book-123", copies=5, price=3500)
    desk.open_order(place(shipping_address="999-9999"))
    expect(desk.outcome).to_contain_text("the carrier could not be reached. 3 tries")
    expect(desk.outcome).to_contain_text("Charged ¥3,850, refunded ¥3,850")
    expect(desk.offers.get_by_role("link", name="Retry")).to_have_count(0)
    expect(desk.offers).to_contain_text("commands are not possible now")


def test_a_cancellation_names_its_consequences_and_gives_back_money_and_stock(desk, place, shelve):
    shelve("book-123", copies=5, price=3500)
    desk.open_order(place())
    desk.offers.get_by_role("link", name="Cancel", exact=True).click()
    desk.shows("Refunds ¥3,850.", "back into stock", "Calls the parcel off.", "The customer reads the reason")
    assert available("book-123") == 4
    desk.page.go_back()
    desk.command("Cancel", reason="Ordered twice")
    expect(desk.outcome).to_contain_text("Cancelled")
    expect(desk.outcome).to_contain_text("Charged ¥3,850, refunded ¥3,850")
    expect(desk.card("Money").get_by_role("row", name="Net")).to_contain_text("¥0")
    expect(desk.card("Commands")).to_contain_text("Ordered twice")
    assert InventoryRecord.objects.get().on_hand == 5


def test_a_stuck_order_is_on_the_home_page_until_it_is_abandoned_and_completes_when_it_is_resumed(
    desk, stuck, outside
):
    desk.open("index")
    desk.card("Needs a person").get_by_role("link", name=UNKNOWN).click()
    desk.page.locator("#changelist").get_by_role("link", name=re.compile("^[0-9A-F]{4}-[0-9A-F]{4}$")).click()
    expect(desk.page.get_by_text(re.compile(r"attempt \d+, next in"))).to_be_visible()
    desk.command("Abandon", reason="Paid by bank transfer")
    expect(desk.outcome).to_contain_text("Abandoned")
    desk.open("index")
    expect(desk.card("Needs a person")).not_to_contain_text(UNKNOWN)
    expect(desk.card("Needs a person")).to_contain_text("1 order is abandoned")
    outside.turn("payments")
    desk.open_order(stuck)
    desk.command("Resume")
    expect(desk.outcome).to_contain_text("Completed")


def test_the_page_of_a_waiting_order_shows_by_itself_that_a_worker_has_completed_it(desk, stuck, outside):
    desk.open_order(stuck)
    outside.turn("payments")
    run_worker()
    expect(desk.outcome).to_contain_text("Completed")


def test_many_orders_are_retried_by_the_worker_and_one_that_fails_stops_no_other(desk, place, shelve, outside):
    shelve("book-123", copies=5, price=3500)
    outside.turn("payments", drop_before=1000)
    for _ in range(3):
        place()
    run_worker()
    outside.turn("payments")
    desk.page.goto(reverse("admin:orders_order_changelist") + "?q=customer-001")
    desk.command_all("Retry: resume now")
    desk.page.locator("form").get_by_role("button", name="Retry").click()
    expect(desk.progress).to_contain_text("0 of 3")
    outside.turn("payments", drop_before=ONE_FAILS)
    call_command("run_worker", once=True)
    expect(desk.progress).to_contain_text("3 of 3")
    expect(desk.progress.get_by_role("cell", name="done", exact=True)).to_have_count(2)
    expect(desk.progress.get_by_role("cell", name="waits", exact=True)).to_have_count(1)
