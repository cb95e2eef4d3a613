"""Stored JSON of every earlier version is read as the newest version."""

import json

from cloudmart.kernel.order import STORED_SNAPSHOT, Address, OrderSnapshot
from cloudmart.kernel.versioned_json import VersionedJson
from tests.conftest import order_snapshot

PRICES = VersionedJson(
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


def test_reading_does_not_change_the_stored_object():
    stored = {"amount": 5}
    PRICES.read(stored)
    assert stored == {"amount": 5}


def test_an_order_snapshot_survives_the_database():
    order = order_snapshot(("book-123", 2), was_draft=True)
    stored = json.loads(json.dumps(order.as_json()))
    assert stored["schema"] == len(STORED_SNAPSHOT.upcasts) and OrderSnapshot.from_json(stored) == order


def before_countries(order):
    """Returns the order as it was stored when the address had no country."""
    stored = json.loads(json.dumps(order.as_json()))
    return {**stored, "schema": 2, "region": stored["address"].pop("country")}


def test_an_order_from_before_drafts_is_read():
    order = order_snapshot(("book-123", 2))
    stored = before_countries(order)
    del stored["schema"], stored["was_draft"], stored["placed_by"]
    assert OrderSnapshot.from_json(stored) == order


def test_an_order_from_before_operators_were_named_was_placed_by_its_customer():
    stored = before_countries(order_snapshot(("book-123", 2), placed_by="operator"))
    del stored["placed_by"]
    assert OrderSnapshot.from_json({**stored, "schema": 1}).actor == "customer-001"


def test_an_order_from_before_addresses_had_a_country_goes_to_its_region():
    order = order_snapshot(("book-123", 2), address=Address("10115", "Invalidenstraße 43", "DE"), was_draft=True)
    assert OrderSnapshot.from_json(before_countries(order)) == order and order.region == "DE"
