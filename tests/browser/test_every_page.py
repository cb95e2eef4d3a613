"""What every page of the site must be: without errors, readable on a phone, and usable by everybody."""

import pytest

from cloudmart.kernel.ids import new_id
from sagas.operations.batches import queue
from sagas.operations.desk_commands import DeskCommand
from tests.browser.conftest import DESKTOP, PHONE, open_drawn
from tests.browser.faults import Console, barriers, too_wide
from tests.browser.pages import PUBLIC, pages_of_the_admin
from tests.committed import run_worker
from tests.webhooks import make_attempt, make_delivery


@pytest.fixture
def busy_shop(place, shelve, outside, api):
    """A shop with orders of both styles that completed, failed, were cancelled, and wait."""
    shelve("book-123", copies=50)
    for style in ("orchestration", "choreography"):
        completed = place(saga=style)
        place(saga=style, payment_token="tok_insufficient_funds")
        place(saga=style, shipping_address="999-9999")
        api.post(f"/orders/{completed}/cancel", {"reason": "Ordered twice"})
        outside.turn("payments", drop_before=1000)
        waiting = place(saga=style)
        run_worker()
        queue.store(new_id(), DeskCommand.RETRY, [waiting], "operator", "The bank is back")
        run_worker()
        outside.turn("payments")
    api.post("/orders", {})
    make_attempt(make_delivery())
    make_delivery(event_type="stock.low", status="failed")


def paths():
    return [*PUBLIC, *dict.fromkeys(pages_of_the_admin())]


def test_no_page_has_errors_or_is_wider_than_the_window_or_a_phone(busy_shop, open_window, operator):
    found = {}
    page = open_window(operator)
    console = Console(page)
    for path in paths():
        faults = []
        for window in (DESKTOP, PHONE):
            page.set_viewport_size(window)
            response = open_drawn(page, path)
            faults += too_wide(page) + console.take()
            faults += [f"status {response.status}"] if response.status != 200 else []
        if faults:
            found[path] = faults
    assert not found, report(found)


def test_no_page_has_barriers_in_light_or_dark_colours(busy_shop, open_window, operator):
    found = {}
    page = open_window(operator, bypass_csp=True)
    for path in paths():
        page.emulate_media(color_scheme="light")
        open_drawn(page, path)
        faults = list(barriers(page))
        page.emulate_media(color_scheme="dark")
        open_drawn(page, path)
        if faults := [*faults, *barriers(page, only="color-contrast")]:
            found[path] = faults
    assert not found, report(found)


def report(found):
    return "\n".join(f"{path}\n" + "\n".join(f"    {fault}" for fault in faults) for path, faults in found.items())
