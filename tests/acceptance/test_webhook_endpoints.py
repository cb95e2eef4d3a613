"""Operators register webhook endpoints over the API, see what was sent to them, and have it sent again."""

import json

import pytest

from cloudmart.outbox.types import EventType
from cloudmart.webhooks.endpoints import disable
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.webhooks import URL, make_delivery, make_endpoint

pytestmark = pytest.mark.any_database

ENDPOINTS, DELIVERIES = "/webhooks/endpoints", "/webhooks/deliveries"


def test_an_endpoint_is_registered_with_a_secret_that_is_shown_once(desk):
    body = {"url": URL, "description": "The accounting system", "event_types": ["stock.low", "order.completed"]}
    response = desk.post(ENDPOINTS, body)
    registered = response.json()
    assert (response.status_code, response["Location"]) == (201, f"{ENDPOINTS}/{registered['endpoint_id']}")
    secret = registered.pop("secret")
    assert secret.startswith("whsec_") and len(secret) > 40
    assert desk.get(response["Location"]).json() == registered
    assert desk.get(ENDPOINTS).json()["results"] == [registered]
    assert (registered["status"], registered["created_by"]) == ("enabled", "operator")
    assert registered["event_types"] == ["order.completed", "stock.low"]


def test_a_repeated_registration_returns_the_same_endpoint(desk):
    first, second = (desk.post(ENDPOINTS, {"url": URL}, HTTP_IDEMPOTENCY_KEY="key-1").json() for _ in range(2))
    assert first == second and WebhookEndpoint.objects.count() == 1


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://user:pw@example.com/"]
)
def test_an_endpoint_is_refused_to_which_nothing_may_be_sent(desk, settings, url):
    settings.WEBHOOK_PRIVATE_ADDRESSES = False
    refused = desk.post(ENDPOINTS, {"url": url})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_endpoint")
    registered = desk.post(ENDPOINTS, {"url": URL}).json()
    changed = desk.patch(f"{ENDPOINTS}/{registered['endpoint_id']}", {"url": url})
    assert (changed.status_code, changed.json()["code"]) == (422, "invalid_endpoint")
    assert WebhookEndpoint.objects.get().url == URL


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": URL, "event_types": ["test"]}, "event_types"),
        ({"url": URL, "event_types": "order.completed"}, "event_types"),
        ({"url": URL, "event_types": [{}]}, "event_types"),
        ({"url": URL, "secret": "whsec_aaaa"}, "secret"),
    ],
)
def test_a_malformed_endpoint_is_refused(desk, body, field):
    refused = desk.post(ENDPOINTS, body)
    assert refused.status_code == 400
    assert [error["field"].partition(".")[0] for error in refused.json()["errors"]] == [field]


def test_what_an_endpoint_receives_is_changed(desk):
    endpoint = make_endpoint(event_types=["order.completed"])
    path = f"{ENDPOINTS}/{endpoint.pk}"
    changed = desk.patch(path, {"url": "https://example.org/", "event_types": []}).json()
    assert (changed["url"], changed["event_types"]) == ("https://example.org/", [])
    assert desk.patch(path, {"description": "CRM"}).json() == {**changed, "description": "CRM"}
    assert desk.get(path).json() == {**changed, "description": "CRM"}


def test_a_rotation_shows_the_new_secret_once_and_until_when_the_old_one_signs(desk):
    endpoint = make_endpoint()
    rotated = desk.post(f"{ENDPOINTS}/{endpoint.pk}/rotate-secret").json()
    stored = WebhookEndpoint.objects.get()
    assert (stored.secret, stored.previous_secret) == (rotated["secret"], endpoint.secret)
    assert rotated["secret"] != endpoint.secret and rotated["previous_secret_until"]
    assert "secret" not in desk.get(f"{ENDPOINTS}/{endpoint.pk}").json()


def test_no_other_response_has_a_secret(desk):
    delivery = make_delivery()
    path = f"{ENDPOINTS}/{delivery.endpoint_id}"
    responses = [
        desk.patch(path, {"description": "CRM"}),
        desk.post(f"{path}/test"),
        desk.post(f"{path}/disable"),
        desk.post(f"{path}/enable"),
        *(desk.get(each) for each in (ENDPOINTS, path, DELIVERIES, f"{DELIVERIES}/{delivery.pk}")),
    ]
    for response in responses:
        assert response.status_code == 200 and b"whsec_" not in response.content


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(desk):
    delivery = make_delivery()
    path = f"{ENDPOINTS}/{delivery.endpoint_id}"
    disabled = desk.post(f"{path}/disable", {"reason": "It is replaced"}).json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "It is replaced")
    assert desk.get(f"{DELIVERIES}/{delivery.pk}").json()["status"] == "failed"
    for command in ("disable", "test"):
        refused = desk.post(f"{path}/{command}")
        assert (refused.status_code, refused.json()["code"]) == (409, "illegal_move")
    assert desk.post(f"{DELIVERIES}/{delivery.pk}/resend").status_code == 409
    assert [each["status"] for each in desk.get(ENDPOINTS, {"status": "disabled"}).json()["results"]] == ["disabled"]
    enabled = desk.post(f"{path}/enable").json()
    assert (enabled["status"], enabled["disabled_reason"], enabled["disabled_at"]) == ("enabled", "", None)
    assert desk.post(f"{path}/enable").status_code == 409


def test_a_test_event_is_recorded_for_its_endpoint_only(desk):
    endpoint = make_endpoint(event_types=["stock.low"])
    make_endpoint()
    sent = desk.post(f"{ENDPOINTS}/{endpoint.pk}/test").json()
    assert (sent["event_type"], sent["endpoint_id"], sent["status"]) == ("test", str(endpoint.pk), "pending")
    assert WebhookDelivery.objects.count() == 1


def test_an_endpoint_is_deleted_with_its_deliveries_and_their_log(desk):
    delivery, other = make_delivery(), make_delivery()
    for each in (delivery, other):
        WebhookAttempt.objects.create(delivery=each, milliseconds=1, status_code=500)
    assert desk.delete(f"{ENDPOINTS}/{delivery.endpoint_id}").status_code == 204
    assert [each.pk for each in WebhookDelivery.objects.all()] == [other.pk]
    assert WebhookAttempt.objects.get().delivery_id == other.pk
    assert WebhookEndpoint.objects.get().pk == other.endpoint_id
    gone = desk.delete(f"{ENDPOINTS}/{delivery.endpoint_id}")
    assert (gone.status_code, gone.json()["code"]) == (404, "endpoint_not_found")


def test_deliveries_are_listed_newest_first_and_filtered(desk):
    endpoint = make_endpoint()
    shipped = make_delivery(endpoint, event_type=EventType.PARCEL_SHIPPED, status="delivered")
    low = make_delivery(endpoint, event_type=EventType.STOCK_LOW)
    other = make_delivery(status="failed")

    def found(**filters):
        return [each["delivery_id"] for each in desk.get(DELIVERIES, filters).json()["results"]]

    assert found() == [str(each.pk) for each in (other, low, shipped)]
    assert found(endpoint=str(endpoint.pk)) == [str(low.pk), str(shipped.pk)]
    assert found(status="failed") == [str(other.pk)]
    assert found(event_type="stock.low") == found(subject="book-123") == [str(low.pk)]
    assert found(subject=shipped.subject) == [str(other.pk), str(shipped.pk)]
    for refused in (
        {"endpoint": "x"},
        {"status": "sent"},
        {"event_type": "order"},
        {"subject": "a b"},
        {"secret": "x"},
    ):
        assert desk.get(DELIVERIES, refused).status_code == 400


def test_a_delivery_shows_the_request_and_each_response(desk):
    delivery = make_delivery()
    WebhookAttempt.objects.create(delivery=delivery, milliseconds=31, status_code=500, response="Out of order")
    WebhookAttempt.objects.create(delivery=delivery, milliseconds=10_000, error="Timeout")
    shown = desk.get(f"{DELIVERIES}/{delivery.pk}").json()
    assert shown["headers"] == [
        {"name": "content-type", "value": "application/cloudevents+json"},
        {"name": "webhook-id", "value": str(delivery.event_id)},
    ]
    assert shown["body"] == delivery.body and json.loads(shown["body"])["type"] == "order.completed"
    assert [(each["status_code"], each["response"], each["error"]) for each in shown["log"]] == [
        (500, "Out of order", ""),
        (None, "", "Timeout"),
    ]
    missing = desk.get(f"{DELIVERIES}/{delivery.endpoint_id}")
    assert (missing.status_code, missing.json()["code"]) == (404, "delivery_not_found")


@pytest.mark.parametrize("status", ["delivered", "failed"])
def test_a_delivery_is_sent_again_with_the_same_id(desk, status):
    delivery = make_delivery(status=status, attempts=7)
    resent = desk.post(f"{DELIVERIES}/{delivery.pk}/resend").json()
    assert (resent["status"], resent["attempts"], resent["resends"]) == ("pending", 0, 1)
    assert resent["event_id"] == str(delivery.event_id) and resent["next_attempt_at"]
    again = desk.post(f"{DELIVERIES}/{delivery.pk}/resend")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_move")


def test_nothing_is_sent_again_to_a_disabled_endpoint(desk):
    delivery = make_delivery(status="failed")
    disable(delivery.endpoint)
    assert desk.post(f"{DELIVERIES}/{delivery.pk}/resend").status_code == 409
