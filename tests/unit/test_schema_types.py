"""Every body in the API's description has a type, so that generated clients have one for it too."""

import json

import pytest

from cloudmart.api.document import document

pytestmark = pytest.mark.any_database

REFERENCE = "#/components/schemas/"
KINDS = {"$ref", "type", "enum", "const"}
RULES = {"required", "not", "oneOf", "anyOf"}
"""The keywords of a rule: which members a body may have together."""

OPEN = {"StepOutput.detail", "TimelineEntryOutput.data", "TimelineEntryOutputCamelCase.data"}
"""Objects whose members depend on what they describe, and are described in words."""


@pytest.fixture(scope="module")
def description():
    return json.loads(document())


def is_rule(schema):
    return schema.keys() <= RULES and all(is_rule(form) for form in schema.get("oneOf", schema.get("anyOf", ())))


def untyped(schema, path):
    """Yields the paths of the parts of a schema that have no type."""
    forms = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    parts = [part for part in schema.get("allOf", ()) if not is_rule(part)]
    if not (KINDS & schema.keys() or forms or parts):
        yield path
    for part in [*forms, *parts]:
        yield from untyped(part, path)
    for name, member in schema.get("properties", {}).items():
        yield from untyped(member, f"{path}.{name}")
    if schema.get("type") == "array":
        yield from untyped(schema.get("items", {}), f"{path}[]")
    if schema.get("additionalProperties") == {}:
        yield path


def bodies(description):
    """Yields each body of a request, and each of a response that is no error, by the name of its operation."""
    for operation in (operation for path in description["paths"].values() for operation in path.values()):
        name = operation["operationId"]
        yield from ((name, body) for body in operation.get("requestBody", {}).get("content", {}).values())
        for response in operation["responses"].values():
            yield from ((name, body) for body in response.get("content", {}).values())


def test_every_body_has_a_type(description):
    every = list(bodies(description))
    assert len(every) > 100
    assert not [path for name, body in every for path in untyped(body["schema"], name)]


def test_every_list_has_the_parameters_of_its_pages(description):
    paged = {name for name, body in bodies(description) if "Paginated" in body["schema"].get("$ref", "")}
    parameters = {
        operation["operationId"]: {each["name"] for each in operation.get("parameters", ())}
        for path in description["paths"].values()
        for operation in path.values()
    }
    assert {"orders_list", "inventory_reports_movements_list"} <= paged
    assert all("page_size" in parameters[name] and parameters[name] & {"page", "cursor"} for name in paged)
    assert {"from", "to", "book_id"} <= parameters["inventory_reports_movements_list"]


def test_every_component_has_a_type(description):
    components = description["components"]["schemas"]
    found = {path for name, schema in components.items() for path in untyped(schema, name)}
    assert found == OPEN


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"description": "anything"},
        {"not": {"required": ["a", "b"]}},
        {"type": "array", "items": {}},
        {"type": "object", "additionalProperties": {}},
        {"type": "object", "properties": {"a": {}}},
        {"oneOf": [{"type": "string"}, {}]},
        {"allOf": [{"required": ["a"]}]},
    ],
)
def test_what_has_no_type_is_found(schema):
    assert list(untyped(schema, "body"))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "allOf": [{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}]},
        {"oneOf": [{"$ref": f"{REFERENCE}OrderInput"}, {"type": "null"}]},
        {"allOf": [{"$ref": f"{REFERENCE}OrderInput"}], "description": "an order"},
    ],
)
def test_what_has_a_type_is_accepted(schema):
    assert not list(untyped(schema, "body"))
