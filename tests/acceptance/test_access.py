"""Who may see and do what."""

import pytest
from knox.models import get_token_model
from rest_framework.test import APIClient

from orders.models import SagaStyle
from sagas.models import SagaInstance
from tests.committed import reserve_stock
from tests.conftest import order_snapshot, signed_in
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.any_database


@pytest.fixture
def bought(place, shelve):
    shelve("book-123", 5)
    return place(("book-123", 1)).json()["order_id"]


@pytest.fixture
def others(bought):
    """Another customer's client."""
    return signed_in(CustomerFactory(id="customer-002").user)


PATHS = ["/orders/{}", "/saga/{}/status", "/payments/{}", "/shipping/{}"]


@pytest.mark.parametrize("path", PATHS)
def test_an_order_is_its_customers_and_the_operators(api, others, operator, bought, path):
    path = path.format(bought)
    assert api.get(path).status_code == 200
    assert signed_in(operator).get(path).status_code == 200
    assert others.get(path).status_code == 404
    refused = APIClient().get(path)
    assert refused.status_code == 401 and refused["WWW-Authenticate"] == "Bearer"
    assert refused.json()["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer nonsense", "Bearer \xff", "Bearer a b", "Basic abc", "Token abc"]
)
def test_a_token_that_is_none_opens_nothing(customer, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    answer = client.get("/orders")
    assert answer.status_code == 401
    assert answer.json()["code"] in {"authentication_failed", "not_authenticated"}


def test_a_token_ends_with_its_time_and_with_its_user(api, customer):
    assert api.get("/orders").status_code == 200
    customer.user.is_active = False
    customer.user.save()
    assert api.get("/orders").status_code == 401
    customer.user.is_active = True
    customer.user.save()
    get_token_model().objects.update(expiry="2020-01-01T00:00Z")
    assert api.get("/orders").status_code == 401


def test_others_cannot_cancel(api, others, bought):
    assert others.post(f"/orders/{bought}/cancel").status_code == 404
    assert others.put(f"/orders/{bought}/cancel").status_code == 404
    assert api.get(f"/orders/{bought}").json()["status"] == "completed"


def test_a_list_shows_ones_own(api, others, operator, bought):
    assert [order["order_id"] for order in api.get("/orders").json()["results"]] == [bought]
    assert others.get("/orders").json()["results"] == []
    assert len(signed_in(operator).get("/orders").json()["results"]) == 1


def test_nobody_orders_for_somebody_else_but_operators_do(others, operator, bought, style):
    body = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    assert others.post("/orders", body).json()["code"] == "customer_not_found"
    answer = signed_in(operator).post("/orders", {**body, "saga": style})
    assert answer.status_code == 201 and answer.json()["customer_id"] == "customer-001"


def test_a_customer_needs_not_say_who_she_is_but_an_operator_must_say_for_whom(others, operator, bought):
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    assert others.post("/orders", body).json()["customer_id"] == "customer-002"
    refused = signed_in(operator).post("/orders", body)
    assert refused.status_code == 404 and refused.json()["code"] == "customer_not_found"
    assert signed_in(UserFactory()).get("/orders").json()["results"] == []


def test_everybody_sees_the_stock_but_only_operators_see_whose_holds_there_are(api, operator, shelve):
    shelve("book-789", 10)
    order = order_snapshot(("book-789", 2))
    reserve_stock(order)
    seen = api.get("/inventory/book-789").json()
    assert (seen["total_quantity"], seen["reserved_quantity"], seen["available_quantity"]) == (10, 2, 8)
    assert [set(hold) for hold in seen["reservations"]] == [{"quantity", "expires_at"}]
    seen = signed_in(operator).get("/inventory/book-789").json()
    assert seen["reservations"][0]["order_id"] == str(order.order_id)
    assert api.get("/inventory/nothing").status_code == 404
    assert APIClient().get("/inventory/book-789").status_code == 401


def test_saga_start_is_orchestrated_whatever_the_default(api, shelve, settings):
    settings.SAGA_STYLE = SagaStyle.CHOREOGRAPHY
    shelve("book-123", 2)
    body = {"customerId": "customer-001", "bookId": "book-123", "quantity": 1, "paymentMethod": "e_money"}
    assert api.post("/saga/start", body).json()["saga"] == "orchestration"
    assert api.post("/orders", body).json()["saga"] == "choreography"
    assert SagaInstance.objects.count() == 2


def test_an_unknown_order_is_nowhere(operator):
    client = signed_in(operator)
    nowhere = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
    codes = [client.get(path.format(nowhere)).json()["code"] for path in PATHS]
    assert codes == ["order_not_found", "order_not_found", "payment_not_found", "shipment_not_found"]
    assert client.post(f"/orders/{nowhere}/cancel").json()["code"] == "order_not_found"
