"""The customer is told by e-mail what has become of an order, in the same words in both styles."""

from typing import Any
from uuid import UUID

import pytest

from orders.models import Mail
from sagas.operations.parcels import mark_as_shipped
from tests.conftest import signed_in

BOOK = "book-123"


@pytest.fixture
def desk(operator) -> Any:
    return signed_in(operator)


@pytest.fixture(autouse=True)
def books(shelve):
    shelve(BOOK, 5, 3500)


def told(order_id: str) -> list[str]:
    return list(Mail.objects.filter(order=order_id).order_by("created_at").values_list("outcome", flat=True))


def the_only_order() -> str:
    return str(Mail.objects.values_list("order", flat=True).get())


def test_a_completed_order_is_recorded_once(place):
    order_id = place((BOOK, 1)).json()["order_id"]
    assert told(order_id) == ["completed"]


def test_a_cancelled_order_has_a_mail_of_both_outcomes(place, api):
    order_id = place((BOOK, 1)).json()["order_id"]
    for _ in range(2):
        assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert told(order_id) == ["completed", "cancelled"]


@pytest.mark.parametrize("trouble", [{"payment_token": "tok_expired_card"}, {"shipping_address": "999-9999"}])
def test_a_failed_order_is_recorded_once(place, trouble):
    assert place((BOOK, 1), **trouble).status_code in {402, 409}
    assert told(the_only_order()) == ["cancelled"]


def test_each_refund_is_recorded_once(place, desk):
    order_id = place((BOOK, 1)).json()["order_id"]
    for reference in ("first", "first", "second"):
        body = {"order_id": order_id, "amount": 100, "reference": reference}
        assert desk.post("/payments/refund", body).status_code == 200
    assert told(order_id) == ["completed", "refunded", "refunded"]


def test_a_shipped_parcel_is_recorded_once(place):
    order_id = place((BOOK, 1)).json()["order_id"]
    for _ in range(2):
        mark_as_shipped(UUID(order_id))
    assert told(order_id) == ["completed", "shipped"]
