"""The direct commands on parcels: a repeat changes nothing."""

import pytest

from cloudmart.kernel.ids import new_id
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier
from shipping.models import Shipment
from tests.acceptance.test_payment_commands import raising
from tests.committed import mark_as_shipped
from tests.conftest import signed_in
from tests.integration.test_races import ROUNDS, all_at_once

TOKYO = "〒150-0001 東京都渋谷区神宮前1-2-3"


@pytest.fixture
def ask(operator):
    """POST to shipping, as an operator."""
    client = signed_in(operator)
    return lambda path, **body: client.post(f"/shipping/{path}", body)


@pytest.fixture
def order_id():
    """The id of an order without a saga."""
    return str(new_id())


def test_a_delivery_is_arranged_once(ask, order_id):
    responses = [ask("arrange", order_id=order_id, shipping_address=TOKYO) for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json() == responses[1].json() and responses[0].json()["tracking_number"]
    assert len(carrier().diary) == 1


def test_a_refused_delivery_stays_refused(ask, order_id):
    for _ in range(2):
        response = ask("arrange", order_id=order_id, shipping_address="000-0000")
        assert response.status_code == 409 and response.json()["code"] == "shipping_failed"


def test_of_two_simultaneous_parcels_to_different_addresses_one_is_refused(ask):
    for _ in range(ROUNDS):
        order_id = str(new_id())
        responses = all_at_once(
            [lambda o=order_id, to=to: ask("arrange", order_id=o, shipping_address=to) for to in (TOKYO, "530-0001")]
        )
        sent, refused = sorted(responses, key=lambda response: response.status_code)
        assert (sent.status_code, sent.json()["status"]) == (200, "arranged")
        assert (refused.status_code, refused.json()["code"]) == (409, "shipment_differs")


def test_another_address_is_refused(ask, order_id):
    ask("arrange", order_id=order_id, shipping_address=TOKYO)
    response = ask("arrange", order_id=order_id, shipping_address="530-0001")
    assert response.status_code == 409 and response.json()["shipping_address"]["postal_code"] == "150-0001"


@pytest.mark.parametrize("error", [OutcomeUnknown("silence"), ProviderUnavailable("down")])
def test_a_delivery_in_doubt_stays_pending_and_is_retried_under_the_same_key(ask, order_id, monkeypatch, error):
    with monkeypatch.context() as down:
        down.setattr(MockCarrier, "arrange", raising(error))
        down.setattr(MockCarrier, "lookup", lambda self, key: Unknown("nobody knows"))
        first = ask("arrange", order_id=order_id, shipping_address=TOKYO)
        assert first.status_code == 202 and first["Retry-After"] == "1"
    assert ask("arrange", order_id=order_id, shipping_address=TOKYO).json()["status"] == "arranged"
    assert list(carrier().diary) == [("arrange", Shipment.objects.get().idempotency_key)]


def test_eight_concurrent_requests_are_one_parcel(ask, order_id):
    responses = all_at_once([lambda: ask("arrange", order_id=order_id, shipping_address=TOKYO)] * 8)
    assert {response.status_code for response in responses} <= {200, 202}
    assert Shipment.objects.count() == 1 and len({key for _, key in carrier().diary}) == 1


def test_a_cancelled_delivery_is_never_arranged_again(ask, order_id):
    ask("arrange", order_id=order_id, shipping_address=TOKYO)
    for _ in range(2):
        response = ask("cancel", order_id=order_id)
        assert response.status_code == 200 and response.json()["status"] == "cancelled"
    assert ask("arrange", order_id=order_id, shipping_address=TOKYO).json()["code"] == "illegal_move"


def test_an_order_without_a_parcel_is_cancelled_and_never_sent(ask, order_id):
    assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"
    assert ask("arrange", order_id=order_id, shipping_address=TOKYO).json()["code"] == "illegal_move"
    assert not carrier().diary


def test_a_shipped_parcel_cannot_be_cancelled(ask, order_id):
    ask("arrange", order_id=order_id, shipping_address=TOKYO)
    mark_as_shipped(order_id)
    response = ask("cancel", order_id=order_id)
    assert response.status_code == 409 and response.json()["code"] == "already_shipped"


def test_a_command_is_refused_while_the_orders_saga_is_running(place, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockCarrier, "arrange", raising(OutcomeUnknown("silence")))
        down.setattr(MockCarrier, "lookup", lambda self, key: Unknown("nobody knows"))
        order_id = place(("book-123", 1)).json()["order_id"]
    for path, more in [("arrange", {"shipping_address": TOKYO}), ("cancel", {})]:
        response = ask(path, order_id=order_id, **more)
        assert response.status_code == 409 and response.json()["code"] == "saga_running"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("arrange", {"order_id": str(new_id())}, "shipping_address"),
        ("arrange", {"order_id": str(new_id()), "shipping_address": "somewhere"}, "shipping_address"),
        ("arrange", {"order_id": 1, "shipping_address": TOKYO}, "order_id"),
        ("cancel", {}, "order_id"),
        ("cancel", {"order_id": str(new_id()), "status": "shipped"}, "status"),
    ],
)
def test_a_wrong_field_is_named(ask, path, body, field):
    response = ask(path, **body)
    assert response.status_code == 400 and [each["field"] for each in response.json()["errors"]] == [field]
    assert not Shipment.objects.exists()
