"""Those who may only look, and those who read Japanese."""

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import expect

from sagas.operations.roles import VIEWER
from tests.browser.desk import Desk
from tests.factories import UserFactory


@pytest.fixture
def viewer(transactional_db):
    user = UserFactory(username="viewer", is_staff=True)
    user.groups.add(Group.objects.get(name=VIEWER))
    return user


def test_a_viewer_sees_an_order_and_no_command(open_window, viewer, place, shelve):
    shelve("book-123", copies=5, price=3500)
    order_id = place()
    desk = Desk(open_window(viewer))
    desk.open_order(order_id)
    expect(desk.outcome).to_contain_text("Completed")
    for command in ("Cancel", "Retry", "Order again", "Note"):
        expect(desk.page.get_by_role("link", name=command, exact=True)).to_have_count(0)
    desk.open("inventory_book_change", "book-123")
    expect(desk.page.get_by_role("button", name="Save")).to_have_count(0)
    expect(desk.page.get_by_role("link", name="Add stock")).to_have_count(0)


def test_the_desk_speaks_japanese_once_it_is_chosen(desk, place, shelve):
    shelve("book-123", copies=5, price=3500)
    order_id = place(shipping_address="999-9999")
    desk.open_order(order_id)
    expect(desk.page.locator("html")).to_have_attribute("lang", "en")
    desk.page.get_by_text("日本語", exact=True).click()
    expect(desk.page.locator("html")).to_have_attribute("lang", "ja")
    desk.open_order(order_id)
    expect(desk.outcome).to_contain_text("失敗")
    expect(desk.page.locator(".order-facts dt").first).to_have_text("注文")


def test_the_desk_follows_the_language_of_the_browser(open_window, operator):
    desk = Desk(open_window(operator, locale="ja-JP"))
    desk.open("index")
    expect(desk.page.get_by_role("link", name="注文").first).to_be_visible()
