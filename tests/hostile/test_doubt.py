"""A request that breaks off in a way that nobody foresaw, once its order is written: the client learns which order."""

import pytest
from django.db import InterfaceError, OperationalError, connection

from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.providers.http_provider import ProviderMisused
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from sagas.desk import responses as answers
from sagas.models import SagaAction, SagaInstance
from shipping.carriers.mock import MockCarrier
from tests.acceptance.conftest import end_of
from tests.committed import let_a_worker_drive_it_on
from tests.conftest import available, signed_in

ADAPTERS = {"charge": (MockGateway, "charge"), "parcel": (MockCarrier, "arrange")}
UNFORESEEN = [RuntimeError("poison"), ProviderMisused("HTTP 422")]
LOST = OperationalError(2013, "lost the connection")


@pytest.fixture(params=SagaStyle, ids=str)
def style(request):
    return request.param


@pytest.fixture(params=["placed", "confirmed"])
def order(request, api, shelve, style):
    """Order 2 of 5 copies: at once, or by confirming a draft. Called again, it repeats the request."""
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
    """Has a function fail with this error, until it is undone."""

    def broken(owner, name, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(owner, name, fail)
        return monkeypatch

    return broken


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_answer_names_the_order_which_is_carried_on(order, api, broken, lines, adapter, error):
    patch = broken(*ADAPTERS[adapter], error)
    answer = order()
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "order_in_doubt")
    assert "/orders/{order_id}" in problem["advice"] and "again" not in problem["advice"].partition("404")[2]
    assert problem["order_id"] == str(Order.objects.get().pk)
    assert api.get(f"/orders/{problem['order_id']}").json()["status"] == "pending"
    assert problem["error_id"] == answer["X-Request-ID"]
    (trace,) = [line for line in lines() if f"{type(error).__name__}: {error}" in line.get("exception", "")]
    assert trace["request_id"] == problem["error_id"] and trace["level"] == "error"
    patch.undo()
    let_a_worker_drive_it_on()
    assert end_of(problem["order_id"]) == ("completed", 2200, 1, [("book-123", 3, 0)])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_repeat_with_its_key_waits_for_the_order_and_gets_its_answer(order, broken, adapter):
    patch = broken(*ADAPTERS[adapter], RuntimeError("poison"))
    key = {"Idempotency-Key": "key"}
    order_id = order(**key).json()["order_id"]
    patch.undo()
    meanwhile = order(**key)
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_key_in_use")
    assert meanwhile.json()["order_id"] == order_id
    let_a_worker_drive_it_on()
    done = order(**key)
    assert done.status_code in {200, 201} and done["Idempotent-Replayed"] == "true"
    assert (done.json()["order_id"], done.json()["status"]) == (order_id, "completed")
    assert Order.objects.count() == 1


def test_an_error_after_all_is_done_names_the_order_too(order, broken):
    broken(answers, "told", RuntimeError("poison"))
    problem = order().json()
    assert (problem["code"], problem["order_id"]) == ("order_in_doubt", str(Order.objects.get().pk))
    assert Order.objects.get().status == "completed"


@pytest.mark.parametrize("keyed", [False, True])
def test_an_error_before_anything_is_written_leaves_the_order_to_be_placed(order, broken, style, keyed):
    """The very first transaction fails."""
    key = {"Idempotency-Key": "key"} if keyed else {}
    patch = broken(SagaInstance, "save", RuntimeError("poison"))
    answer = order(**key)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "order_id" not in answer.json() and not SagaInstance.objects.exists()
    assert set(Order.objects.values_list("status", flat=True)) <= {"draft"}
    patch.undo()
    done = order(**key)
    assert done.status_code in {200, 201} and done.json()["status"] == "completed"
    assert available("book-123") == 3 and Order.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "code"), [(DatabaseBusy("walk"), "busy"), (LOST, "database_unavailable"), (InterfaceError(), None)]
)
def test_a_database_that_goes_away_later_does_not_hide_the_order(order, broken, error, code):
    broken(*ADAPTERS["charge"], error)
    answer = order()
    assert answer.status_code == (503 if code else 500)
    assert answer.json()["code"] == (code or "order_in_doubt")
    assert answer.json()["order_id"] == str(Order.objects.get().pk)
    assert "order_id" in answer.json()["advice"]


@pytest.mark.parametrize("error", [LOST, InterfaceError()], ids=["lost", "no word"])
def test_where_nobody_can_look_the_order_is_in_doubt(order, broken, error):
    """The first transaction ends in an error of the database, and that cannot be asked whether it has committed."""
    broken(SagaInstance, "save", error)
    broken(SagaInstance.objects, "filter", InterfaceError())
    answer = order()
    assert answer.status_code in {500, 503} and answer.json()["order_id"]


def test_a_cancellation_that_breaks_off_may_be_repeated(order, api, broken):
    order_id = order().json()["order_id"]
    patch = broken(MockGateway, "refund", RuntimeError("poison"))
    answer = api.post(f"/orders/{order_id}/cancel")
    assert answer.status_code == 202 and answer.json()["order_id"] == order_id
    patch.undo()
    assert api.post(f"/orders/{order_id}/cancel").status_code in {200, 202}
    let_a_worker_drive_it_on()
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 5, 0)])


@pytest.mark.parametrize("path", ["/orders/{}/cancel", "/saga/{}/cancel", "/saga/{}/retry", "/saga/{}/compensate"])
def test_a_command_that_breaks_off_at_once_names_the_order_too(order, operator, broken, path):
    order_id = order().json()["order_id"]
    broken(SagaAction.objects, "create", RuntimeError("poison"))
    client = signed_in(operator)
    client.raise_request_exception = False
    answer = client.post(path.format(order_id))
    assert (answer.status_code, answer.json()["code"]) == (500, "order_in_doubt")
    assert answer.json()["order_id"] == order_id


@pytest.mark.parametrize("is_done", [False, True], ids=["on its way", "on its way back"])
def test_a_commit_without_word_may_have_been_done_whatever_is_found(order, monkeypatch, is_done):
    """The look-up may come before the server carries the COMMIT out."""
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
    answer = order()
    assert lost and SagaInstance.objects.exists() == is_done
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.json()["order_id"]
