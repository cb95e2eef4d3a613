"""Who may do what: every route, every method, every kind of visitor, and the answer that each gets.

`-` stands for a method that the route does not have: 405, unless the visitor is turned away before (401, 403).
"""

import re

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.conftest import facts, signed_in
from tests.factories import CustomerFactory

VISITORS = ("anonymous", "other", "owner", "operator")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

MATRIX = """
route                              method  anonymous  other  owner  operator

/orders                            GET           401    200    200       200
/orders                            POST          401    201    201       201
/orders/{order_id}                 GET           401    404    200       200
/orders/{order_id}                 PATCH         401    404    200       200
/orders/{order_id}                 DELETE        401    404    204       204
/orders/{order_id}/items           POST          401    404    200       200
/orders/{order_id}/add_item        POST          401    404    200       200
/orders/{order_id}/items/{book_id} PUT           401    404    200       200
/orders/{order_id}/items/{book_id} DELETE        401    404    200       200
/orders/{order_id}/extend          POST          401    404    200       200
/orders/{order_id}/confirm         POST          401    404    200       200
/orders/{order_id}/cancel          POST          401    404    200       200
/orders/{order_id}/cancel          PUT           401    404    200       200

/saga/start                        POST          401    201    201       201
/saga/{order_id}/status            GET           401    404    200       200
/saga/{order_id}/cancel            POST          401    403    403       200
/saga/{order_id}/retry             POST          401    403    403       200
/saga/{order_id}/compensate        POST          401    403    403       200
/saga/{order_id}/give_up           POST          401    403    403       200

/inventory                         GET           401    200    200       200
/inventory/{book_id}               GET           401    200    200       200
/inventory/{book_id}/events        GET           401    200    200       200
/inventory/{book_id}/add_stock     POST          401    403    403       200
/inventory/{book_id}/adjust        POST          401    403    403       200
/inventory/reserve                 POST          401    403    403       200
/inventory/release                 POST          401    403    403       200
/inventory/extend                  POST          401    403    403       200

/payments/{order_id}               GET           401    404    200       200
/payments/process                  POST          401    403    403       200
/payments/cancel                   POST          401    403    403       200
/payments/refund                   POST          401    403    403       200

/shipping/{order_id}               GET           401    404    200       200
/shipping/arrange                  POST          401    403    403       200
/shipping/cancel                   POST          401    403    403       200

/metrics                           GET           401    403    403       200
/healthz                           GET           200    200    200       200
/readyz                            GET           200    200    200       200
"""

ROWS = [line.split() for line in MATRIX.strip().splitlines()[1:] if line]
ALLOWED = {(route, method): dict(zip(VISITORS, map(int, codes), strict=True)) for route, method, *codes in ROWS}
OF_A_DRAFT = {
    (route, method)
    for route, method in ALLOWED
    if re.search("/(items|add_item|extend|confirm)", route) or method in {"PATCH", "DELETE"}
}
OF_AN_ORDER = {
    (route, method)
    for route, method in ALLOWED
    if "{order_id}" in route or route in {"/payments/refund", "/shipping/cancel"}
}
ROUTES = sorted({route for route, _ in ALLOWED})

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
ITEMS = [{"book_id": "book-123", "quantity": 1}]


def body_of(route, visitor, orders):
    """What a good request to this route brings; `orders` are the ids of a completed and of a new one."""
    completed, new = orders
    return {
        "/saga/{order_id}/give_up": {"reason": "The card is closed."},
        "/orders/{order_id}": {"coupon": "WELCOME10"},
        "/orders/{order_id}/items": ITEMS[0],
        "/orders/{order_id}/add_item": ITEMS[0],
        "/orders/{order_id}/items/{book_id}": {"quantity": 2},
        "/orders/{order_id}/confirm": {"payment_method": "credit_card"},
        "/inventory/extend": {"order_id": new},
        "/orders": {**ORDER, **({"customer_id": "customer-001"} if visitor == "operator" else {})},
        "/saga/start": {**ORDER, **({"customer_id": "customer-001"} if visitor == "operator" else {})},
        "/inventory/{book_id}/add_stock": {"quantity": 1},
        "/inventory/{book_id}/adjust": {"delta": 1, "reason": "counted"},
        "/inventory/reserve": {"order_id": new, "items": ITEMS},
        "/inventory/release": {"order_id": new, "items": ITEMS},
        "/payments/process": {"order_id": new, "amount": 100, "payment_method": "credit_card"},
        "/payments/cancel": {"order_id": new},
        "/payments/refund": {"order_id": completed, "amount": 1},
        "/shipping/arrange": {"order_id": new, "shipping_address": "150-0001"},
        "/shipping/cancel": {"order_id": completed},
    }.get(route)


@pytest.fixture
def visit(api, operator, shelve):
    """The answer that a visitor gets to a good request, for an order of the owner's own, which may be a draft."""
    shelve("book-123", 1000)
    clients = {
        "anonymous": APIClient(),
        "other": signed_in(CustomerFactory(id="customer-002").user),
        "owner": api,
        "operator": signed_in(operator),
    }

    def visit(visitor, route, method):
        new = str(facts().order_id)
        completed = new
        if (route, method) in OF_A_DRAFT:
            completed = api.post("/orders", {}).json()["order_id"]
            api.post(f"/orders/{completed}/items", ITEMS[0])
        elif (route, method) in OF_AN_ORDER:
            completed = api.post("/orders", ORDER).json()["order_id"]
        path = route.format(order_id=completed, book_id="book-123")
        body = None if method in {"GET", "DELETE"} else body_of(route, visitor, (completed, new))
        return getattr(clients[visitor], method.lower())(path, body)

    return visit


@pytest.mark.parametrize("route", ROUTES)
def test_everybody_gets_the_answer_in_the_table(visit, route):
    expected, found = {}, {}
    for method in METHODS:
        for visitor in VISITORS:
            turned_away = {row[visitor] for (where, _), row in ALLOWED.items() if where == route} & {401, 403}
            otherwise = turned_away.pop() if turned_away else 405
            expected[method, visitor] = ALLOWED.get((route, method), {}).get(visitor, otherwise)
            answer = visit(visitor, route, method)
            found[method, visitor] = answer.status_code
            if answer.status_code >= 400:
                assert answer["Content-Type"] == "application/problem+json"
                assert answer.json()["advice"] and answer.json()["request_id"]
    assert found == expected


def test_the_table_has_every_operation_of_the_schema():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    described = {(route, method.upper()) for route, operations in paths.items() for method in operations}
    assert described == set(ALLOWED)


@pytest.mark.parametrize("path", ["/schema", "/docs"])
def test_the_documentation_is_open(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert not re.search(rb"https?://(?!127\.0\.0\.1|localhost|testserver)[^\"']*\.(js|css)", answer.content)


def test_the_admin_is_for_operators(operator, customer):
    for user, status in [(operator, 200), (customer.user, 302)]:
        client = Client()
        client.force_login(user)
        assert client.get("/admin/orders/order/").status_code == status


def test_every_command_has_an_example_to_try():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for route, operations in paths.items():
        for method, operation in operations.items():
            contents = [operation["requestBody"]] if method != "get" and "requestBody" in operation else []
            told = [operation["responses"][status] for status in ("200", "201") if status in operation["responses"]]
            contents += told[:1]
            for content in contents if route not in {"/metrics", "/healthz", "/readyz"} else []:
                shown = content["content"]["application/json"]
                assert shown.get("examples"), (route, method)
