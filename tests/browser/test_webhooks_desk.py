"""An operator registers a webhook endpoint, tests it, and looks at what was sent."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from cloudmart.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.faults import barriers, too_wide
from tests.webhooks import make_attempt, make_delivery


def faults_of(page):
    found = []
    for window in (DESKTOP, PHONE):
        page.set_viewport_size(window)
        found += too_wide(page)
    page.set_viewport_size(DESKTOP)
    return found


def test_an_endpoint_is_registered_and_its_secret_is_shown_once(desk):
    page = desk.page
    desk.open("cloudmart_webhookendpoint_add")
    page.get_by_label("URL").fill("https://example.com/hooks")
    page.get_by_label("Order Completed").check()
    page.get_by_label("Stock Low").check()
    assert faults_of(page) == []
    page.get_by_role("button", name="Save", exact=True).click()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.event_types == ["order.completed", "stock.low"]
    expect(page.locator("#secret")).to_have_text(endpoint.secret)
    assert faults_of(page) == []
    page.get_by_role("link", name="I have copied it").click()
    assert endpoint.secret not in page.content()
    page.go_back()
    page.reload()
    expect(page.locator("#secret")).to_have_count(0)


def test_an_endpoint_is_tested_rotated_and_disabled_on_its_page(desk):
    delivery = make_delivery()
    page = desk.page
    desk.open("cloudmart_webhookendpoint_change", delivery.endpoint_id)
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("A worker sends the test event.")).to_be_visible()
    assert WebhookDelivery.objects.filter(event_type="test").count() == 1
    page.get_by_role("button", name="Rotate the secret").click()
    expect(page.locator("#secret")).to_have_text(WebhookEndpoint.objects.get().secret)
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("No event is sent to it any more.")).to_be_visible()
    assert WebhookEndpoint.objects.get().status == "disabled"
    assert faults_of(page) == []


def test_a_failed_delivery_is_found_by_its_order_and_sent_again(desk, place, shelve):
    shelve("book-123", copies=5)
    order_id = place()
    delivery = make_delivery(subject=order_id, status="failed")
    make_attempt(delivery, status_code=500, response="Out of order")
    page = desk.page
    desk.open_order(order_id)
    page.get_by_role("link", name="Webhooks of this order").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.goto(page.url.split("/admin/")[0] + reverse("admin:cloudmart_webhookdelivery_change", args=[delivery.pk]))
    expect(page.get_by_text("Out of order")).to_be_visible()
    expect(page.get_by_text(f"webhook-id: {delivery.event_id}")).to_be_visible()
    assert faults_of(page) == [] and list(barriers(page)) == []
    page.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("A worker sends it once more.")).to_be_visible()
    assert WebhookDelivery.objects.get(pk=delivery.pk).status == "pending"


@pytest.mark.parametrize("name", ["webhookendpoint", "webhookdelivery", "webhookattempt", "outboxconsumer"])
def test_the_lists_fit_a_phone(desk, name):
    make_attempt(make_delivery())
    desk.open(f"cloudmart_{name}_changelist")
    assert faults_of(desk.page) == []
