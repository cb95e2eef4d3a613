"""Direct commands on an order check its saga under a lock, and are refused while it runs."""

from threading import Event, Thread

import pytest
from django.db import connection, connections

from cloudmart.providers.outcomes import OutcomeUnknown
from inventory.models import Reservation
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Payment
from tests.acceptance.conftest import end_of
from tests.acceptance.test_payment_commands import raising
from tests.bookkeeping import findings
from tests.conftest import available, signed_in
from tests.integration.test_races import ROUNDS, all_at_once
from tests.processes import wait_until

ITEMS = [{"book_id": "book-123", "quantity": 1}]
COMMANDS = {
    "inventory/reserve": ("reservations", {"items": [{"book_id": "book-456", "quantity": 1}]}),
    "payments/refund": ("refunds", {"amount": 100, "reference": "torn-page"}),
    "shipping/cancel": ("shipments", {}),
}
"""By path: the table that the command writes first, and its body."""


@pytest.fixture(autouse=True)
def shelves(shelve):
    shelve("book-123", 1000)
    shelve("book-456", 1000)


@pytest.fixture
def ask(operator):
    """POST as an operator."""
    client = signed_in(operator)
    return lambda path, **body: client.post(f"/{path}", body)


@pytest.fixture(params=SagaStyle, ids=str)
def place(request, api):
    body = {"payment_method": "credit_card", "saga": request.param, "items": ITEMS}
    return lambda **more: api.post("/orders", {**body, **more})


def refusal(response):
    return response.status_code, response.json()["code"]


def test_stock_is_not_reserved_for_a_failed_order(ask, place):
    order_id = place(payment_token="tok_expired_card").json()["order_id"]
    assert refusal(ask("inventory/reserve", order_id=order_id, items=ITEMS)) == (409, "order_cancelled")
    assert not Reservation.objects.filter(status="active").exists() and available("book-123") == 1000
    assert findings() == {}


def test_stock_is_not_reserved_for_an_order_that_failed_without_reservations(ask, place):
    order_id = place(items=[{"book_id": "book-123", "quantity": 1}], shipping_address="999-9999").json()["order_id"]
    Reservation.objects.all().delete()
    assert refusal(ask("inventory/reserve", order_id=order_id, items=ITEMS)) == (409, "order_cancelled")


def test_stock_is_not_reserved_by_command_for_a_draft(ask, api):
    order_id = api.post("/orders", {}).json()["order_id"]
    assert refusal(ask("inventory/reserve", order_id=order_id, items=ITEMS)) == (409, "order_is_draft")
    api.post(f"/orders/{order_id}/cancel")
    assert refusal(ask("inventory/reserve", order_id=order_id, items=ITEMS)) == (409, "order_cancelled")
    assert not Reservation.objects.exists()


def test_stock_is_not_reserved_by_command_while_the_saga_is_running(ask, place, monkeypatch):
    monkeypatch.setattr(MockGateway, "charge", raising(OutcomeUnknown("no response")))
    order_id = place().json()["order_id"]
    assert refusal(ask("inventory/reserve", order_id=order_id, items=ITEMS)) == (409, "saga_running")


def test_a_refused_reservation_for_a_draft_may_be_repeated_under_its_key(ask, api, operator):
    order_id = api.post("/orders", {"payment_method": "credit_card"}).json()["order_id"]
    api.post(f"/orders/{order_id}/items", ITEMS[0])
    other = {"order_id": order_id, "items": COMMANDS["inventory/reserve"][1]["items"]}
    responses = [signed_in(operator).post("/inventory/reserve", other, headers={"Idempotency-Key": "key"})]
    api.post(f"/orders/{order_id}/confirm")
    responses += [signed_in(operator).post("/inventory/reserve", other, headers={"Idempotency-Key": "key"})]
    assert [response.status_code for response in responses] == [409, 200]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.parametrize("path", COMMANDS)
def test_an_order_is_not_cancelled_between_the_check_and_the_command(ask, api, place, path):
    order_id, (table, body) = place().json()["order_id"], COMMANDS[path]
    cancelled, responses = Event(), []

    def cancel():
        try:
            responses.append(api.post(f"/orders/{order_id}/cancel").status_code)
        finally:
            cancelled.set()
            connections.close_all()

    rival = Thread(target=cancel)

    def execute(run, sql, params, many, context):
        if rival.ident is None and sql.startswith(("INSERT", "UPDATE")) and f"`{table}`" in sql:
            rival.start()
            wait_until(lambda: cancelled.is_set() or somebody_waits_for_a_lock())
            assert not cancelled.is_set(), "the order was cancelled while the command had begun"
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        response = ask(path, order_id=order_id, **body)
    rival.join()
    assert response.status_code in {200, 202}, "202 while the cancellation refunds the rest"
    assert responses == [200]
    assert end_of(order_id)[:3] == ("cancelled", 0, 0) and findings() == {}


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
        return int(cursor.fetchone()[1]) > 0


def test_concurrent_commands_and_a_cancellation_agree(ask, api, place):
    for _ in range(ROUNDS):
        order_id = place().json()["order_id"]
        commands = [
            lambda o=order_id, p=path, b=body: ask(p, order_id=o, **b).status_code
            for path, (_, body) in COMMANDS.items()
        ]
        cancel = [lambda o=order_id: api.post(f"/orders/{o}/cancel").status_code] * 2
        assert set(all_at_once([*commands, *cancel])) <= {200, 202, 409}
        assert end_of(order_id)[:3] == ("cancelled", 0, 0)
        assert Payment.objects.get(order_id=order_id).status == "refunded"
    assert findings() == {}
