"""Names in camelCase, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.api.camel_case import camel_case, camel_cased
from cloudmart.api.document import document
from cloudmart.api.parsers import snake_cased

pytestmark = pytest.mark.any_database

WORDS = st.from_regex(r"[a-z][a-z0-9]+", fullmatch=True)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map("_".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | NAMES,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(NAMES | st.text(), each, max_size=3),
    max_leaves=9,
)


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("order_id", "orderId"),
        ("available_quantity", "availableQuantity"),
        ("quantity", "quantity"),
        ("orderId", "orderId"),
        ("book-123", "book-123"),
        ("product_001", "product_001"),
        ("Product_A", "Product_A"),
        ("_private", "_private"),
        ("a__b", "a__b"),
        ("a_", "a_"),
        ("", ""),
    ],
)
def test_a_name_in_snake_case_becomes_camel_case(name, camel):
    assert camel_case(name) == camel


@given(NAMES)
def test_a_request_may_use_the_names_of_a_response(name):
    assert snake_cased([(camel_case(name), 1)]) == {name: 1}


def values_of(data):
    if isinstance(data, dict):
        return [values_of(each) for name, each in data.items() if name != "field"]
    return [values_of(each) for each in data] if isinstance(data, list) else data


@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_values_stay_as_they_are(data):
    changed = camel_cased(data)
    assert values_of(changed) == values_of(data)
    assert camel_cased(changed) == changed


def test_a_validation_error_names_the_field_as_the_client_does():
    errors = [{"field": "items.0.book_id", "code": "required", "detail": "Give book_id."}]
    assert camel_cased({"errors": errors})["errors"] == [{**errors[0], "field": "items.0.bookId"}]


def names_in(schema):
    """Every name of a member in a schema."""
    if isinstance(schema, list):
        return {name for each in schema for name in names_in(each)}
    if not isinstance(schema, dict):
        return set()
    own = schema["properties"].keys() if isinstance(schema.get("properties"), dict) else set()
    return set(own) | {name for each in schema.values() for name in names_in(each)}


def test_every_name_of_the_api_can_be_told_from_its_camel_case():
    names = {name for name in names_in(json.loads(document())) if "_" in name}
    assert names >= {"order_id", "unit_price", "request_id"}
    assert all(snake_cased([(camel_case(name), 1)]) == {name: 1} for name in names)
