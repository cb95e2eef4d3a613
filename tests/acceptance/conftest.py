"""Fixtures and helpers of the acceptance tests, which place every order over HTTP, in both styles."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from cloudmart.providers.magic import DECLINED
from cloudmart.providers.mock import refused
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory.models import InventoryRecord, Reservation
from orders.models import Order, SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.models import Payment, Refund, RefundStatus
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus

BERLIN = {"postal_code": "10115", "address": "Invalidenstraße 43", "country": "DE"}
CAPTURED = {"captured", "refunding", "refunded"}


@pytest.fixture(params=SagaStyle, ids=str)
def style(request: pytest.FixtureRequest) -> SagaStyle:
    return request.param


@pytest.fixture
def place(api: APIClient, style: SagaStyle) -> Callable[..., Any]:
    """Sends POST /orders with these (book, copies) lines and further fields, and returns the response."""

    def place(*lines: tuple[str, int], **more: Any) -> Any:
        items = [{"book_id": book_id, "quantity": quantity} for book_id, quantity in lines]
        body = {"customer_id": "customer-001", "payment_method": "credit_card", "saga": style, "items": items}
        return api.post("/orders", {**body, **more})

    return place


@pytest.fixture
def place_undecided(place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Orders one copy of a book while the gateway does not respond. Returns the id of the order, which waits."""

    def charge(gateway: MockGateway, key: str, **charge: Any) -> Any:
        raise OutcomeUnknown("no response")

    def place_undecided(book_id: str) -> str:
        with monkeypatch.context() as down:
            down.setattr(MockGateway, "charge", charge)
            down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
            return str(place((book_id, 1)).json()["order_id"])

    return place_undecided


@pytest.fixture
def status_of(api: APIClient) -> Callable[[str], dict[str, Any]]:
    """Returns the JSON of GET /saga/{order_id}/status."""

    def status_of(order_id: str) -> dict[str, Any]:
        return api.get(f"/saga/{order_id}/status").json()

    return status_of


def money_kept(order_id: str) -> int:
    """Returns the yen that were captured for this order and not refunded."""
    captured = sum(p.amount for p in Payment.objects.filter(order_id=order_id) if p.status in CAPTURED)
    refunds = Refund.objects.filter(payment__order_id=order_id, status=RefundStatus.REFUNDED)
    return captured - sum(refund.amount for refund in refunds)


def decline_of(token: str) -> dict[str, Any]:
    """Returns the error of the only payment, which the mock provider declined for this token."""
    return refused(PaymentDeclined, DECLINED[token], Payment.objects.get().idempotency_key).error.as_json()


def parcels_on_their_way(order_id: str) -> int:
    return Shipment.objects.filter(order_id=order_id, status=ParcelStatus.ARRANGED).count()


def holds(order_id: str) -> set[str]:
    return set(Reservation.objects.filter(order_id=order_id).values_list("status", flat=True))


def end_of(order_id: str) -> tuple[str, int, int, list[tuple[str, int, int]]]:
    """Returns the status, money and parcels of an order, and all shelves. They are the same in both styles."""
    shelves = InventoryRecord.objects.order_by("pk").values_list("pk", "on_hand", "reserved")
    status = Order.objects.get(pk=UUID(order_id)).status
    return status, money_kept(order_id), parcels_on_their_way(order_id), list(shelves)


def steps_of(saga: dict[str, Any], direction: str, *statuses: str) -> list[str]:
    """Returns the steps with these statuses in one direction, in the order of the log."""
    return [line["step"] for line in saga["steps"] if line["direction"] == direction and line["status"] in statuses]


def events_in(saga: dict[str, Any]) -> list[str]:
    return [event["event_type"] for event in saga["events"]]
