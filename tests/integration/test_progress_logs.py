"""The log lines of a saga: one for each step or event, and a warning for each failed attempt, with the ids."""

import logging

import pytest

from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from orders.models import SagaStyle
from payments.gateways.mock import MockGateway
from sagas import events
from sagas.choreography.history import History
from sagas.models import SagaInstance
from sagas.orchestration.execution import Execution
from tests.committed import run_worker_after_leases_expire
from tests.conftest import signed_in

pytestmark = pytest.mark.any_database

CALLS = ("provider call failed", "provider lookup failed")


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture
def place(api, shelve, style):
    """Places an order under the request id "mine"."""
    shelve("book-123", 5)

    def place(**more):
        order = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style, **more}
        return api.post("/orders", order, headers={"X-Request-ID": "mine"})

    return place


def progress(lines):
    """Returns what is logged at INFO, besides requests."""
    said = [line for line in lines() if line["level"] == "info" and line["event"] != "request"]
    return [(line["event"], line.get("event_type") or line["command"]) for line in said]


def failures(lines):
    return [line for line in lines() if line["event"] in CALLS]


def assert_has_ids(line, request_id="mine"):
    saga = SagaInstance.objects.get()
    ids = (line["order_id"], line["saga_id"], line["request_id"])
    assert ids == (str(saga.order_id), str(saga.pk), request_id), line


def test_a_completed_order_logs_each_step_or_event(place, lines, style):
    assert place().status_code == 201
    commands = ["CreateOrder", "ReserveStock", "ProcessPayment", "ArrangeShipping", "CompleteOrder"]
    published = [
        "OrderCreated",
        "StockReserved",
        "PaymentCompleted",
        "ShippingArranged",
        "StockConfirmed",
        "OrderCompleted",
    ]
    if style == SagaStyle.ORCHESTRATION:
        assert progress(lines) == [("step done", command) for command in commands]
    else:
        assert progress(lines) == [("event published", event_type) for event_type in published]
    for line in lines()[:-1]:
        assert_has_ids(line)


def test_a_refused_order_logs_what_is_refused_and_undone(place, lines, style):
    assert place(payment_token="tok_insufficient_funds").status_code == 402
    undone = [("step undone", "ReleaseStock"), ("step undone", "CancelOrder")]
    if style == SagaStyle.ORCHESTRATION:
        assert progress(lines)[2:] == [("step refused", "ProcessPayment"), *undone]
        (refused,) = (line for line in lines() if line["event"] == "step refused")
        assert refused["code"] == "payment_declined"
    else:
        assert ("event published", "PaymentFailed") in progress(lines)
    assert not failures(lines), "the provider has responded"


def test_a_carrier_that_is_down_logs_a_warning_for_each_attempt(place, lines):
    assert place(shipping_address="999-9999").status_code == 409
    warned = failures(lines)
    assert [(line["level"], line["attempt"], line["command"]) for line in warned] == [
        ("warning", 1, "ArrangeShipping"),
        ("warning", 2, "ArrangeShipping"),
        ("warning", 3, "ArrangeShipping"),
    ]
    assert [line["error"] for line in warned] == [f"ProviderUnavailable: attempt {number}" for number in (1, 2, 3)]
    again = "another attempt in 0.000 s"
    assert [line["next"] for line in warned] == [again, again, "none: it is unavailable"]
    for line in warned:
        assert_has_ids(line)
    assert "AttemptFailed" not in {said for _, said in progress(lines)}, "the warnings say so"


def test_an_outcome_that_stays_unknown_is_looked_up(place, lines, monkeypatch):
    def no_response(*args, **kwargs):
        raise OutcomeUnknown("no response")

    monkeypatch.setattr(MockGateway, "charge", no_response)
    monkeypatch.setattr(MockGateway, "lookup", no_response)
    assert place().status_code == 202
    *_, last, lookup = failures(lines)
    assert (last["next"], lookup["event"], lookup["error"]) == (
        "a lookup",
        "provider lookup failed",
        "OutcomeUnknown: no response",
    )


def test_the_lines_of_a_worker_have_the_ids_of_the_saga_and_one_of_the_drive(place, lines, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", lambda *args, **kwargs: Unknown("unknown"))
        assert place().status_code == 202
    before = len(lines())
    run_worker_after_leases_expire()
    driven = [line for line in lines()[before:] if line["event"] in {"step done", "event published"}]
    (drive,) = {line["request_id"] for line in driven}
    assert drive and drive != "mine"
    for line in driven:
        assert_has_ids(line, drive)


def test_a_direct_command_logs_its_attempts_with_the_order(operator, lines, transactional_db):
    order_id = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
    charge = {"order_id": order_id, "amount": 100, "payment_method": "credit_card"}
    clerk = signed_in(operator)
    charged = clerk.post(
        "/payments/process", {**charge, "payment_token": "tok_unavailable_2"}, headers={"X-Request-ID": "direct"}
    )
    assert charged.status_code == 200
    assert [(line["order_id"], line["request_id"], line["attempt"]) for line in failures(lines)] == [
        (order_id, "direct", 1),
        (order_id, "direct", 2),
    ]


def test_changes_of_a_draft_are_logged_with_the_order(api, shelve, lines):
    shelve("book-123", 5)
    path = api.post("/orders", {})["Location"]
    api.post(f"{path}/items", {"book_id": "book-123", "quantity": 1}, headers={"X-Request-ID": "mine"})
    (line,) = (line for line in lines() if line["event"] == "event published")
    assert (line["event_type"], line["order_id"]) == ("ItemAdded", path.rpartition("/")[2])
    assert line["request_id"] == "mine"


def test_nothing_is_logged_of_what_is_rolled_back(place, api, lines, monkeypatch):
    def failing_after(write):
        def run(*args, **kwargs):
            write(*args, **kwargs)
            raise ZeroDivisionError

        return run

    monkeypatch.setattr(Execution, "write", failing_after(Execution.write))
    monkeypatch.setattr(History, "save", failing_after(History.save))
    api.raise_request_exception = False
    assert place().status_code == 500
    assert progress(lines) == []


def test_the_log_says_neither_who_orders_nor_what_a_customer_has_written(place, api, lines, customer):
    secret = {"payment_token": "tok_unavailable_2_secret", "shipping_address": "〒150-0001 東京都渋谷区神宮前1-2-3"}
    order_id = place(**secret).json()["order_id"]
    api.post(f"/orders/{order_id}/cancel", {"reason": "My neighbour Taro died."})
    written = str(lines())
    for private in (secret["payment_token"], "神宮前", "Taro", customer.name, customer.email):
        assert private not in written


def test_a_log_that_fails_breaks_no_order(place, lines, style, monkeypatch):
    class Broken:
        def info(self, *args, **kwargs):
            raise ZeroDivisionError

    monkeypatch.setattr(events, "logger", Broken())
    monkeypatch.setattr("sagas.orchestration.step_log.logger", Broken())
    assert place().status_code == 201
    assert any("ZeroDivisionError" in line.get("exception", "") for line in lines())


def test_below_its_level_nothing_is_logged(place, lines):
    root = logging.getLogger()
    level = root.level
    root.setLevel("WARNING")
    try:
        assert place().status_code == 201
    finally:
        root.setLevel(level)
    assert not {"step done", "event published"} & {line["event"] for line in lines()}
