"""Responses in camelCase for clients that ask for `Accept: application/json; case=camel`."""

import json
import re

import jsonschema
import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from cloudmart.api.camel_case import camel_cased
from cloudmart.api.document import document
from cloudmart.api.parsers import snake_cased

pytestmark = pytest.mark.any_database

CAMEL_CASE = "application/json; case=camel"
CAMEL = {"Accept": CAMEL_CASE}
BODY = {"bookId": "book_alpha_001", "quantity": 1, "paymentMethod": "credit_card"}


@pytest.fixture(autouse=True)
def books(shelve):
    shelve("book_alpha_001", 5, price=3500)
    shelve("book-456", 1)


@pytest.fixture(scope="module")
def description():
    return json.loads(document())


def names_in(data):
    """The names of all members, at any depth."""
    if isinstance(data, dict):
        return set(data) | {name for each in data.values() for name in names_in(each)}
    return {name for each in data for name in names_in(each)} if isinstance(data, list) else set()


def fits(description, response, path, method="get"):
    """Returns True if the response is as the description says for its media type."""
    media = description["paths"][path][method]["responses"][str(response.status_code)]["content"]
    schema = {**media[response["Content-Type"]]["schema"], "components": description["components"]}
    return jsonschema.Draft202012Validator(schema).is_valid(response.json())


def check(description, response, plain, path, method="get"):
    """Checks that the response is the plain one with other names, and as it is described."""
    assert response["Content-Type"] == in_camel_case(plain["Content-Type"])
    assert response.json() == camel_cased(plain.json())
    assert not names_in(plain.json()) & {"book_alpha_001", "book-456"}, "codes are values, not names"
    assert not [name for name in names_in(response.json()) if "_" in name]
    assert fits(description, response, path, method)


def in_camel_case(content_type):
    return f"{content_type}; case=camel"


def test_an_order_is_shown_in_the_case_asked_for(api, style, description):
    placed = api.post("/orders", {**BODY, "saga": style}, headers=CAMEL)
    assert placed.status_code == 201 and placed["Content-Type"] == CAMEL_CASE and "Accept" in placed["Vary"]
    order = placed.json()
    (item,) = order["items"]
    assert (order["customerId"], order["paymentMethod"], order["sagaStatus"]) == (
        "customer-001",
        "credit_card",
        "COMPLETED",
    )
    assert (item["bookId"], item["unitPrice"]) == ("book_alpha_001", 3500)
    assert order["shippingAddress"]["postalCode"] == "150-0001"
    assert fits(description, placed, "/orders", "post")
    for path, pattern in (
        (f"/orders/{order['orderId']}", "/orders/{order_id}"),
        ("/orders", "/orders"),
        (f"/orders/{order['orderId']}/events", "/orders/{order_id}/events"),
        (f"/saga/{order['orderId']}/status", "/saga/{order_id}/status"),
        (f"/payments/{order['orderId']}", "/payments/{order_id}"),
        (f"/shipping/{order['orderId']}", "/shipping/{order_id}"),
        ("/inventory/book_alpha_001", "/inventory/{book_id}"),
        ("/inventory/book_alpha_001/events", "/inventory/{book_id}/events"),
    ):
        check(description, api.get(path, headers=CAMEL), api.get(path), pattern)


def test_a_page_and_a_draft_are_shown_in_the_case_asked_for(api, description):
    call_command("project_inventory", verbosity=0)
    stock = api.get("/inventory", {"page_size": 1}, headers=CAMEL)
    assert (
        stock.json()["results"][0].keys() >= {"bookId", "availableQuantity"} and "page_size=1" in stock.json()["next"]
    )
    check(description, stock, api.get("/inventory", {"page_size": 1}), "/inventory")
    draft = api.post("/orders", headers=CAMEL)["Location"]
    added = api.post(f"{draft}/items", {"bookId": "book-456", "quantity": 1}, headers=CAMEL)
    assert added.json()["items"][0]["heldUntil"] and added.json()["expiredBooks"] == []
    check(description, api.get(draft, headers=CAMEL), api.get(draft), "/orders/{order_id}")
    deleted = api.delete(draft, headers=CAMEL)
    assert deleted.status_code == 204 and not deleted.content


def test_the_response_to_a_refusal_is_a_problem_in_the_case_asked_for(api, style, description):
    order = {"bookId": "book-456", "quantity": 9, "saga": style}
    refused = api.post("/orders", order, headers=CAMEL)
    assert refused.status_code == 409 and refused["Content-Type"] == "application/problem+json; case=camel"
    problem = refused.json()
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "advice", "requestId"}
    assert problem["shortages"] == [{"bookId": "book-456", "requested": 9, "available": 1}]
    assert problem["code"] == "out_of_stock", "codes are values"
    assert fits(description, refused, "/orders", "post")
    declined = api.post("/orders", {**BODY, "paymentToken": "tok_expired_card", "saga": style}, headers=CAMEL)
    assert declined.status_code == 402 and declined.json()["sagaStatus"] == "FAILED"
    assert not [name for name in names_in(declined.json()) if "_" in name]


def test_a_validation_error_names_the_fields_in_the_case_asked_for(api):
    body = {"items": [{"bookId": "book-456", "quantity": 0}], "shippingAddress": {"postalCode": 1}}
    fields = {case: set() for case in ("camel", "snake")}
    for case, found in fields.items():
        refused = api.post("/orders", body, headers={"Accept": f"application/json; case={case}"})
        found |= {error["field"] for error in refused.json()["errors"]}
    assert fields == {
        "camel": {"items.0.quantity", "shippingAddress.postalCode"},
        "snake": {"items.0.quantity", "shipping_address.postal_code"},
    }


def test_problems_outside_of_any_view_are_in_the_case_asked_for(api, settings):
    settings.MAX_BODY_SIZE = 10
    for response in (
        api.get("/nothing", headers=CAMEL),
        api.post("/orders", BODY, headers=CAMEL),
        api.generic("POST", "/orders", b"{", content_type="application/json", headers=CAMEL),
        api.get("/orders", {"cursor": "nothing"}, headers=CAMEL),
        api.put("/orders", {}, headers=CAMEL),
        APIClient().get("/orders", headers=CAMEL),
    ):
        assert response.status_code >= 400
        assert response["Content-Type"] == "application/problem+json; case=camel"
        assert "requestId" in response.json() and "request_id" not in response.json()
    assert "request_id" in api.get("/nothing").json()


@pytest.mark.parametrize(("first", "second"), [(CAMEL, {}), ({}, CAMEL)], ids=["camel first", "snake first"])
@pytest.mark.parametrize(("more", "status"), [({}, 201), ({"paymentToken": "tok_expired_card"}, 402)])
def test_a_repeat_gets_its_response_in_the_case_that_the_repeat_asks_for(api, style, first, second, more, status):
    key = {"Idempotency-Key": "key"}
    once, again = (
        api.post("/orders", {**BODY, **more, "saga": style}, headers={**key, **each}) for each in (first, second)
    )
    assert once.status_code == again.status_code == status and again["Idempotent-Replayed"] == "true"
    camel, snake = (once, again) if first else (again, once)
    assert camel["Content-Type"] == in_camel_case(snake["Content-Type"])
    ids = {"request_id", "requestId"}
    both = [{name: value for name, value in each.items() if name not in ids} for each in (camel.json(), snake.json())]
    assert both[0] == camel_cased(both[1]) and "orderId" in both[0]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json; case=camel", CAMEL_CASE),
        ("application/json;case=camel", CAMEL_CASE),
        ('application/json; case="camel"', CAMEL_CASE),
        ("application/json; indent=2; case=camel; q=0.8", CAMEL_CASE),
        ("*/*; case=camel", CAMEL_CASE),
        ("application/*; case=camel", CAMEL_CASE),
        ("text/html, application/json; case=camel", CAMEL_CASE),
        ("application/json, application/json; case=camel", CAMEL_CASE),
        ("application/json; case=kebab, application/json; case=camel", CAMEL_CASE),
        ("application/json; case=snake", "application/json"),
        ("application/json; case=kebab, application/json", "application/json"),
        ("application/json; case=kebab, */*", "application/json"),
        ("application/json; version=1", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_the_accept_header_names_the_case(api, accept, content_type):
    response = api.get("/inventory/book-456", headers={"Accept": accept})
    assert response.status_code == 200 and response["Content-Type"] == content_type
    assert ("bookId" in response.json()) is (content_type == CAMEL_CASE)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*; case=snake", "application/json"),
        ("application/json; case=kebab, */*", "application/json"),
        ("*/*; case=camel", CAMEL_CASE),
        ("text/csv, */*; case=camel", "text/csv; charset=utf-8"),
    ],
)
def test_a_report_is_csv_only_for_clients_that_ask_for_it(desk, accept, content_type):
    response = desk.get("/inventory/reports/reservations", headers={"Accept": accept})
    assert response.status_code == 200 and response["Content-Type"] == content_type


@pytest.mark.parametrize(
    "accept", ["application/json; case=kebab", "application/json; case=", "*/*; case=Camel", "text/html; case=camel"]
)
def test_an_unknown_case_is_not_acceptable(api, accept):
    refused = api.get("/inventory/book-456", headers={"Accept": accept})
    assert refused.status_code == 406 and refused.json()["code"] == "not_acceptable"
    assert refused["Content-Type"] == "application/problem+json"


def test_probes_have_one_representation(api):
    for path in ("/healthz", "/readyz"):
        assert api.get(path, headers=CAMEL)["Content-Type"] == "application/json"


# --- The description ----------------------------------------------------------------------------------


def test_every_response_in_json_is_described_in_both_cases(description):
    described = 0
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for response in operation["responses"].values():
                media_types = set(response.get("content", ())) - {"text/plain", "text/csv"}
                plain = {each for each in media_types if "case=" not in each}
                expected = set() if path in {"/healthz", "/readyz", "/metrics"} else set(map(in_camel_case, plain))
                assert media_types - plain == expected, path
                described += len(expected)
    assert described > 100


def test_examples_in_camel_case_are_those_in_snake_case(description):
    content = description["paths"]["/orders"]["post"]["responses"]["201"]["content"]
    plain, camel = (content[each]["examples"] for each in ("application/json", CAMEL_CASE))
    assert plain.keys() == camel.keys() and plain
    for name, example in plain.items():
        assert camel[name]["value"] == camel_cased(example["value"]) != example["value"]


def test_a_component_in_camel_case_is_the_same_one_with_other_names(description):
    schemas = description["components"]["schemas"]
    camel = {name: schema for name, schema in schemas.items() if name.endswith("CamelCase")}
    assert {"OrderOutputCamelCase", "ProblemOutputCamelCase", "PaginatedStockOutputListCamelCase"} <= camel.keys()
    for name, schema in camel.items():
        plain = schemas[name.removesuffix("CamelCase")]
        back = json.loads(json.dumps(schema).replace("CamelCase", ""), object_pairs_hook=with_own_names)
        assert set(back["properties"]) == set(plain["properties"])
        assert not re.search(r'"[a-z]+_[a-z_]+": \{', json.dumps(schema.get("properties")))


def with_own_names(pairs):
    """Turns back the names of members, not the keywords of JSON Schema."""
    return {name: snake_cased(list(value.items())) if name == "properties" else value for name, value in pairs}


ANY_NAMES = {"data", "detail"}
"""What has any names, but only ours: the details of entries and steps."""


def test_no_member_has_names_that_are_data(description):
    """Otherwise camelCase would change them: let `camel_cased` leave that member as it is."""
    found = {
        name
        for schema in description["components"]["schemas"].values()
        for name, member in schema.get("properties", {}).items()
        if isinstance(member, dict) and member.get("additionalProperties", False) is not False
    }
    assert found == ANY_NAMES
