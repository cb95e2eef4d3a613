"""A request that an unforeseen error interrupts after its order is stored: the response names the order."""

import pytest
from django.db import InterfaceError, OperationalError, connection

from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.providers.http_provider import ProviderMisused
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.desk import responses
from sagas.models import SagaAction, SagaInstance
from shipping.carriers.mock import MockCarrier
from tests.acceptance.conftest import end_of
from tests.committed import run_worker_after_leases_expire
from tests.conftest import available, signed_in

ADAPTERS = {"charge": (MockGateway, "charge"), "parcel": (MockCarrier, "arrange")}
UNFORESEEN = [RuntimeError("poison"), ProviderMisused("HTTP 422")]
LOST = OperationalError(2013, "lost the connection")


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture(params=["placed", "confirmed"])
def order(request, api, shelve, style):
    """Returns a function that orders 2 of 5 copies, directly or with a draft. A second call repeats the request."""
    shelve("book-123", 5)
    api.raise_request_exception = False
    wanted, book = {"saga": style, "payment_method": "credit_card"}, {"book_id": "book-123", "quantity": 2}
    if request.param == "placed":
        return lambda **headers: api.post("/orders", {**wanted, **book}, headers=headers)
    draft = api.post("/orders", wanted)["Location"]
    api.post(f"{draft}/items", book)
    return lambda **headers: api.post(f"{draft}/confirm", headers=headers)


@pytest.fixture
def broken(monkeypatch):
    """Returns a function that makes another one raise this error, until the returned patch is undone."""

    def broken(owner, name, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(owner, name, fail)
        return monkeypatch

    return broken


def unstorable(error):
    """Raises this error from every INSERT of a saga within the block."""

    def execute(execute, sql, *others):
        if sql.startswith(f"INSERT INTO {connection.ops.quote_name(SagaInstance._meta.db_table)}"):
            raise error
        return execute(sql, *others)

    return connection.execute_wrapper(execute)


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_response_names_the_order_which_a_worker_completes(order, api, broken, lines, adapter, error):
    patch = broken(*ADAPTERS[adapter], error)
    response = order()
    problem = response.json()
    assert (response.status_code, problem["code"]) == (500, "order_in_doubt")
    assert "/orders/{order_id}" in problem["advice"] and "again" not in problem["advice"].partition("404")[2]
    assert problem["order_id"] == str(Order.objects.get().pk)
    assert api.get(f"/orders/{problem['order_id']}").json()["status"] == "pending"
    assert problem["error_id"] == response["X-Request-ID"]
    (trace,) = [line for line in lines() if f"{type(error).__name__}: {error}" in line.get("exception", "")]
    assert trace["request_id"] == problem["error_id"] and trace["level"] == "error"
    patch.undo()
    run_worker_after_leases_expire()
    assert end_of(problem["order_id"]) == ("completed", 2200, 1, [("book-123", 3, 0)])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_repeat_with_the_same_key_gets_the_response_of_the_order_once_it_is_finished(order, broken, adapter):
    patch = broken(*ADAPTERS[adapter], RuntimeError("poison"))
    key = {"Idempotency-Key": "key"}
    order_id = order(**key).json()["order_id"]
    patch.undo()
    meanwhile = order(**key)
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_key_in_use")
    assert meanwhile.json()["order_id"] == order_id
    run_worker_after_leases_expire()
    done = order(**key)
    assert done.status_code in {200, 201} and done["Idempotent-Replayed"] == "true"
    assert (done.json()["order_id"], done.json()["status"]) == (order_id, "completed")
    assert Order.objects.count() == 1


def test_an_error_after_the_saga_is_finished_names_the_order_too(order, broken):
    broken(responses, "placing_response", RuntimeError("poison"))
    problem = order().json()
    assert (problem["code"], problem["order_id"]) == ("order_in_doubt", str(Order.objects.get().pk))
    assert Order.objects.get().status == "completed"


@pytest.mark.parametrize("keyed", [False, True])
def test_after_an_error_that_stored_nothing_the_request_may_be_repeated(order, keyed):
    """The first transaction fails."""
    key = {"Idempotency-Key": "key"} if keyed else {}
    with unstorable(RuntimeError("poison")):
        response = order(**key)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "order_id" not in response.json() and not SagaInstance.objects.exists()
    assert set(Order.objects.values_list("status", flat=True)) <= {"draft"}
    done = order(**key)
    assert done.status_code in {200, 201} and done.json()["status"] == "completed"
    assert available("book-123") == 3 and Order.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "code"), [(DatabaseBusy("advance"), "busy"), (LOST, "database_unavailable"), (InterfaceError(), None)]
)
def test_a_database_error_after_the_order_is_stored_names_the_order(order, broken, error, code):
    broken(*ADAPTERS["charge"], error)
    response = order()
    assert response.status_code == (503 if code else 500)
    assert response.json()["code"] == (code or "order_in_doubt")
    assert response.json()["order_id"] == str(Order.objects.get().pk)
    assert "order_id" in response.json()["advice"]


@pytest.mark.parametrize("error", [LOST, InterfaceError()], ids=["connection lost", "no connection"])
def test_an_order_that_cannot_be_looked_up_is_in_doubt(order, broken, error):
    """The first transaction ends in a database error, and the database cannot be read afterwards."""
    broken(SagaInstance.objects, "filter", InterfaceError())
    with unstorable(error):
        response = order()
    assert response.status_code in {500, 503} and response.json()["order_id"]


def test_an_interrupted_cancellation_may_be_repeated(order, api, broken):
    order_id = order().json()["order_id"]
    patch = broken(MockGateway, "refund", RuntimeError("poison"))
    response = api.post(f"/orders/{order_id}/cancel")
    assert response.status_code == 202 and response.json()["order_id"] == order_id
    patch.undo()
    assert api.post(f"/orders/{order_id}/cancel").status_code in {200, 202}
    run_worker_after_leases_expire()
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 5, 0)])


@pytest.mark.parametrize("path", ["/orders/{}/cancel", "/saga/{}/cancel", "/saga/{}/retry", "/saga/{}/compensate"])
def test_an_operator_command_that_fails_at_once_names_the_order_too(order, operator, broken, path):
    order_id = order().json()["order_id"]
    broken(SagaAction.objects, "create", RuntimeError("poison"))
    client = signed_in(operator)
    client.raise_request_exception = False
    response = client.post(path.format(order_id))
    assert (response.status_code, response.json()["code"]) == (500, "order_in_doubt")
    assert response.json()["order_id"] == order_id


@pytest.mark.parametrize("is_done", [False, True], ids=["request lost", "response lost"])
def test_an_order_whose_first_commit_got_no_response_is_in_doubt_even_if_not_found(order, monkeypatch, is_done):
    """The server may execute the COMMIT after the order was looked up."""
    commit = connection.commit
    lost = []

    def lose_the_first():
        if lost or not SagaInstance.objects.exists():
            return commit()
        lost.append("COMMIT")
        if is_done:
            commit()
        raise LOST

    monkeypatch.setattr(connection, "commit", lose_the_first)
    response = order()
    assert lost and SagaInstance.objects.exists() == is_done
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.json()["order_id"]
