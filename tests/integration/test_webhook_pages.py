"""Webhook endpoints and deliveries in the admin."""

from datetime import timedelta

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from cloudmart.database.clock import database_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.models import IdempotencyKey
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer, OutboxEvent
from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from cloudmart.webhooks import endpoints
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.webhooks import URL, make_attempt, make_delivery, make_endpoint

pytestmark = pytest.mark.any_database


def page(name, *arguments, **query):
    return reverse(f"admin:cloudmart_{name}", args=arguments, query=query or None)


def run(site, model, action, *rows, **more):
    """Runs an action of the list. Returns the page that follows, and the messages on it."""
    body = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    response = site.post(page(f"{model}_changelist"), body, follow=True)
    return response, [str(message) for message in response.context["messages"]]


def concerns(site):
    return {concern.text: concern for concern in site.get("/admin/").context["figures"]["concerns"]}


@pytest.mark.parametrize("event_type", EventType)
def test_the_page_of_a_delivery_shows_the_request_and_the_responses(site, event_type):
    delivery = make_delivery(event_type=event_type)
    make_attempt(delivery, status_code=500, response="Out of order")
    shown = site.get(page("webhookdelivery_change", delivery.pk)).content.decode()
    for text in (
        f"webhook-id: {delivery.event_id}",
        "Out of order",
        URL,
        f"&quot;type&quot;: &quot;{event_type}&quot;",
    ):
        assert text in shown
    assert "whsec_" not in shown


def test_deliveries_are_found_by_their_order_and_filtered(site):
    mine, other = make_delivery(subject=str(new_id())), make_delivery(status="failed")

    def found(**query):
        return list(site.get(page("webhookdelivery_changelist", **query)).context["cl"].result_list)

    assert found() == [other, mine]
    assert found(q=mine.subject) == [mine] == found(endpoint=str(mine.endpoint_id))
    assert found(status__exact="failed") == [other]


def test_a_delivery_without_its_endpoint_is_shown(site):
    delivery = make_delivery()
    WebhookEndpoint.objects.all()._raw_delete("default")
    for path in (page("webhookdelivery_changelist"), page("webhookdelivery_change", delivery.pk)):
        assert site.get(path).status_code == 200


def test_deliveries_are_resent_together(site):
    failed, pending = make_delivery(status="failed"), make_delivery()
    _response, messages = run(site, "webhookdelivery", "resend", failed, pending)
    assert sum("A worker sends it once more." in each for each in messages) == 1
    assert set(WebhookDelivery.objects.values_list("status", "resends")) == {("pending", 1), ("pending", 0)}


def test_a_new_endpoint_shows_its_secret_once(site, operator):
    form = {"url": URL, "description": "CRM", "event_types": ["stock.low"]}
    shown = site.post(page("webhookendpoint_add"), form, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.event_types, endpoint.created_by) == (["stock.low"], operator.username)
    assert endpoint.secret in shown.content.decode()
    for path in ("webhookendpoint_secret", "webhookendpoint_change", "webhookendpoint_history"):
        assert endpoint.secret not in site.get(page(path, endpoint.pk), follow=True).content.decode()


def test_the_page_of_an_idempotency_key_does_not_show_the_response(site, operator):
    shop = APIClient(headers={"Idempotency-Key": "key-1"})
    shop.force_authenticate(operator)
    secret = shop.post("/webhooks/endpoints", {"url": URL}).json()["secret"]
    key = IdempotencyKey.objects.get()
    shown = site.get(page("idempotencykey_change", key.pk)).content.decode()
    assert key.scope in shown and key.location in shown and secret in key.body and secret not in shown


def test_an_endpoint_to_which_nothing_may_be_sent_is_refused(site, settings):
    settings.WEBHOOK_PRIVATE_ADDRESSES = False
    refused = site.post(page("webhookendpoint_add"), {"url": "https://10.0.0.1/"})
    assert "The host must be public." in refused.content.decode() and not WebhookEndpoint.objects.exists()


def test_a_changed_endpoint_keeps_its_secret_and_its_history_says_what_was_changed(site):
    endpoint = make_endpoint(due_at=database_now() + timedelta(hours=1))
    site.post(page("webhookendpoint_change", endpoint.pk), {"url": "https://example.org/", "event_types": []})
    changed = WebhookEndpoint.objects.get()
    assert changed.due_at <= database_now(), "the new URL is tried at once"
    assert (changed.url, changed.secret) == ("https://example.org/", endpoint.secret)
    assert f"{URL} → https://example.org/" in site.get(page("webhookendpoint_history", endpoint.pk)).content.decode()


def test_one_secret_is_rotated_at_a_time(site):
    endpoint, other = make_endpoint(), make_endpoint()
    _response, messages = run(site, "webhookendpoint", "rotate_secret", endpoint, other)
    assert messages == ["Select one endpoint: its new secret is shown once."]
    response, _messages = run(site, "webhookendpoint", "rotate_secret", endpoint)
    rotated = WebhookEndpoint.objects.get(pk=endpoint.pk)
    assert rotated.secret in response.content.decode() and rotated.previous_secret == endpoint.secret


def test_an_endpoint_is_tested_disabled_and_enabled(site):
    endpoint = make_endpoint()
    run(site, "webhookendpoint", "send_test", endpoint)
    assert WebhookDelivery.objects.get().event_type == "test"
    response, _messages = run(site, "webhookendpoint", "disable", endpoint, from_its_page="1")
    assert response.redirect_chain[-1][0] == page("webhookendpoint_change", endpoint.pk)
    _response, messages = run(site, "webhookendpoint", "send_test", endpoint)
    assert messages == [f"{URL}: The endpoint is disabled."]
    run(site, "webhookendpoint", "enable", endpoint)
    assert WebhookEndpoint.objects.get().status == "enabled"


def test_an_endpoint_is_deleted_with_its_deliveries(site):
    delivery, other = make_delivery(), make_delivery()
    make_attempt(delivery)
    path = page("webhookendpoint_delete", delivery.endpoint_id)
    assert site.get(path).status_code == 200
    assert site.post(path, {"post": "yes"}).status_code == 302
    assert WebhookDelivery.objects.get() == other and not WebhookAttempt.objects.exists()


def test_home_says_which_endpoints_fail_but_not_which_an_operator_has_disabled(site):
    asked, gone, failing = make_endpoint(), make_endpoint(), make_endpoint()
    endpoints.disable(asked, "It is replaced")
    assert not [text for text in concerns(site) if "Webhook" in text]
    endpoints.disable(gone, endpoints.GONE)
    since = database_now() - timedelta(hours=3)
    WebhookEndpoint.objects.filter(pk=failing.pk).update(failing_since=since, failures=9)
    found = concerns(site)
    assert found["Webhook endpoint was disabled: it accepts nothing"].number == 1
    assert "3" in found["Webhook endpoint is failing"].age
    for text in ("Webhook endpoint was disabled: it accepts nothing", "Webhook endpoint is failing"):
        assert site.get(found[text].url).status_code == 200


def test_the_page_of_the_consumers_shows_what_each_does_not_have(site, transactional_db):
    def refuse(events):
        raise ValueError("The list of endpoints is broken")

    order_id = new_id()
    durable(record)(EventType.PARCEL_DELIVERED, ORDER, order_id, {})
    pass_on(Consumer.WEBHOOKS, refuse)
    shown = site.get(page("outboxconsumer_changelist")).content.decode()
    assert "The list of endpoints is broken" in shown and OutboxEvent.objects.count() == 1
    assert str(order_id)[-8:] in site.get(page("outboxevent_changelist")).content.decode()
