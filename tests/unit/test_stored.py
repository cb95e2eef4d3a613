"""JSON that was stored long ago is read as if it had been written today."""

import json

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.stored import StoredSchema
from sagas.models import Event
from tests.conftest import facts

PRICES = StoredSchema(
    (
        lambda old: {**old, "currency": "JPY"},
        lambda old: {"price": {"amount": old["amount"], "currency": old["currency"]}},
    )
)
NOW = {"price": {"amount": 5, "currency": "JPY"}}


def test_every_version_is_read_as_the_newest():
    assert PRICES.read({"amount": 5}) == NOW
    assert PRICES.read({"amount": 5, "currency": "JPY", "schema": 1}) == NOW
    assert PRICES.written(NOW) == {**NOW, "schema": 2}
    assert PRICES.read(PRICES.written(NOW)) == NOW


def test_what_is_stored_is_not_changed_by_reading_it():
    stored = {"amount": 5}
    PRICES.read(stored)
    assert stored == {"amount": 5}


def test_an_orders_facts_survive_the_database():
    order = facts(("book-123", 2), was_draft=True)
    stored = json.loads(json.dumps(order.as_json()))
    assert stored["schema"] == 1 and OrderFacts.from_json(stored) == order


def test_the_facts_of_an_order_from_before_there_were_drafts_are_understood():
    order = facts(("book-123", 2))
    stored = json.loads(json.dumps(order.as_json()))
    del stored["schema"], stored["was_draft"]
    assert OrderFacts.from_json(stored) == order


def test_what_a_fact_says_is_told_without_its_version():
    for payload in ({"tries": 2}, {"tries": 2, "schema": 1}):
        assert Event(payload=payload).details == {"tries": 2}
