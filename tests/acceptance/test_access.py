"""Access of customers, operators and anonymous clients to orders and stock."""

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
def order_id(place, shelve):
    shelve("book-123", 5)
    return place(("book-123", 1)).json()["order_id"]


@pytest.fixture
def other_customer(order_id):
    """Another customer's client."""
    return signed_in(CustomerFactory(id="customer-002").user)


PATHS = ["/orders/{}", "/saga/{}/status", "/payments/{}", "/shipping/{}"]


@pytest.mark.parametrize("path", PATHS)
def test_only_the_customer_and_operators_see_an_order(api, other_customer, operator, order_id, path):
    path = path.format(order_id)
    assert api.get(path).status_code == 200
    assert signed_in(operator).get(path).status_code == 200
    assert other_customer.get(path).status_code == 404
    refused = APIClient().get(path)
    assert refused.status_code == 401 and refused["WWW-Authenticate"] == "Bearer"
    assert refused.json()["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer nonsense", "Bearer \xff", "Bearer a b", "Basic abc", "Token abc"]
)
def test_an_invalid_token_is_rejected(customer, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    response = client.get("/orders")
    assert response.status_code == 401
    assert response.json()["code"] in {"authentication_failed", "not_authenticated"}


def test_a_token_is_rejected_after_its_expiry_or_if_its_user_is_inactive(api, customer):
    assert api.get("/orders").status_code == 200
    customer.user.is_active = False
    customer.user.save()
    assert api.get("/orders").status_code == 401
    customer.user.is_active = True
    customer.user.save()
    get_token_model().objects.update(expiry="2020-01-01T00:00Z")
    assert api.get("/orders").status_code == 401


def test_another_customer_cannot_cancel_the_order(api, other_customer, order_id):
    assert other_customer.post(f"/orders/{order_id}/cancel").status_code == 404
    assert other_customer.put(f"/orders/{order_id}/cancel").status_code == 404
    assert api.get(f"/orders/{order_id}").json()["status"] == "completed"


def test_a_list_shows_only_the_customers_own_orders(api, other_customer, operator, order_id):
    assert [order["order_id"] for order in api.get("/orders").json()["results"]] == [order_id]
    assert other_customer.get("/orders").json()["results"] == []
    assert len(signed_in(operator).get("/orders").json()["results"]) == 1


def test_only_operators_order_for_another_customer(other_customer, operator, order_id, style):
    body = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    assert other_customer.post("/orders", body).json()["code"] == "customer_not_found"
    response = signed_in(operator).post("/orders", {**body, "saga": style})
    assert response.status_code == 201 and response.json()["customer_id"] == "customer-001"


def test_customer_id_is_optional_for_a_customer_and_required_for_an_operator(other_customer, operator, order_id):
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    assert other_customer.post("/orders", body).json()["customer_id"] == "customer-002"
    refused = signed_in(operator).post("/orders", body)
    assert refused.status_code == 404 and refused.json()["code"] == "customer_not_found"
    assert signed_in(UserFactory()).get("/orders").json()["results"] == []


def test_only_operators_see_the_orders_of_reservations(api, operator, shelve):
    shelve("book-789", 10)
    order = order_snapshot(("book-789", 2))
    reserve_stock(order)
    stock = api.get("/inventory/book-789").json()
    assert (stock["total_quantity"], stock["reserved_quantity"], stock["available_quantity"]) == (10, 2, 8)
    assert [set(hold) for hold in stock["reservations"]] == [{"quantity", "held_since", "expires_at"}]
    stock = signed_in(operator).get("/inventory/book-789").json()
    assert stock["reservations"][0]["order_id"] == str(order.order_id)
    assert api.get("/inventory/nothing").status_code == 404
    assert APIClient().get("/inventory/book-789").status_code == 401


def test_saga_start_is_orchestrated_whatever_the_default_style(api, shelve, settings):
    settings.SAGA_STYLE = SagaStyle.CHOREOGRAPHY
    shelve("book-123", 2)
    body = {"customerId": "customer-001", "bookId": "book-123", "quantity": 1, "paymentMethod": "e_money"}
    assert api.post("/saga/start", body).json()["saga"] == "orchestration"
    assert api.post("/orders", body).json()["saga"] == "choreography"
    assert SagaInstance.objects.count() == 2


def test_an_unknown_order_is_not_found(operator):
    client = signed_in(operator)
    unknown = "01a1fc13-06f4-71f7-ac05-df3857a063f2"
    codes = [client.get(path.format(unknown)).json()["code"] for path in PATHS]
    assert codes == ["order_not_found", "order_not_found", "payment_not_found", "shipment_not_found"]
    assert client.post(f"/orders/{unknown}/cancel").json()["code"] == "order_not_found"
