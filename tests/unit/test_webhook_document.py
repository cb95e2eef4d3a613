"""The API's description has every type of event that is sent to webhooks."""

import pytest

from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from tests.webhook_schemas import description, faults_of, operation_of


def test_each_type_of_event_is_described_as_a_webhook():
    assert set(description()["webhooks"]) == {*EventType}


@pytest.mark.parametrize("event_type", EventType)
def test_a_described_webhook_has_its_headers_and_an_example_and_no_token(event_type):
    operation = operation_of(event_type)
    assert [each["name"] for each in operation["parameters"]] == [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    (body,) = operation["requestBody"]["content"].values()
    assert [example["value"]["type"] for example in body["examples"].values()] == [event_type]
    assert set(operation["responses"]) == {"2XX"} and "security" not in operation


@pytest.mark.parametrize("event_type", EventType)
def test_the_example_of_a_type_is_as_described(event_type):
    assert faults_of(example_of(event_type)) == []


@pytest.mark.parametrize("event_type", EventType)
def test_another_type_version_or_member_is_not_as_described(event_type):
    event = example_of(event_type)
    for change in ({"dataschema": event["dataschema"] + "1"}, {"sequence": 1}, {"another": 1}, {"id": "1"}):
        assert faults_of({**event, **change}) != []
    assert faults_of({**event, "data": {**event["data"], "email": "tanaka@example.com"}}) != []
    for member in event["data"]:
        assert faults_of({**event, "data": {n: v for n, v in event["data"].items() if n != member}}) != []
