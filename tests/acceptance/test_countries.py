"""The country of the address decides the tax of an order."""

import pytest

from cloudmart.kernel.order import Address
from orders.models import Customer, Order
from shipping.carriers.mock import MockCarrier
from tests.acceptance.conftest import BERLIN
from tests.conftest import signed_in

TOKYO = {"postal_code": "150-0001", "address": "東京都渋谷区神宮前1-2-3", "country": "JP"}
LONDON = {"postal_code": "SW1A 1AA", "address": "The Mall", "country": "GB"}
ID = "01a1fc13-06f4-71f7-ac05-df3857a063f2"


@pytest.fixture(autouse=True)
def books(shelve):
    shelve("book-123", 100)


@pytest.mark.parametrize(("address", "tax"), [(TOKYO, 100), (BERLIN, 70), (LONDON, 0)])
@pytest.mark.parametrize("is_stated", [True, False])
def test_the_country_of_the_address_decides_the_tax(place, api, address, tax, is_stated):
    stated = {"region": address["country"]} if is_stated else {}
    order = place(("book-123", 1), shipping_address=address, **stated).json()
    assert (order["status"], order["tax"], order["region"]) == ("completed", tax, address["country"])
    assert order["shipping_address"] == address
    assert api.get(f"/shipping/{order['order_id']}").json()["address"] == address


def test_an_address_without_a_country_is_in_the_home_country(place):
    for address in ("〒150-0001 東京", {"postal_code": "150-0001"}):
        order = place(("book-123", 1), shipping_address=address).json()
        assert (order["tax"], order["shipping_address"]["country"]) == (100, "JP")


def test_the_address_on_file_has_a_country(place):
    Customer.objects.update(postal_code="10115", address="Invalidenstraße 43", country="DE")
    order = place(("book-123", 1)).json()
    assert (order["tax"], order["shipping_address"]) == (70, BERLIN)
    refused = place(("book-123", 1), region="JP")
    assert (refused.status_code, refused.json()["code"], refused.json()["region"]) == (409, "region_differs", "DE")


def test_another_region_than_the_country_is_refused(place):
    for address in ({}, {"shipping_address": "150-0001"}, {"shipping_address": BERLIN}):
        refused = place(("book-123", 1), region="US", **address)
        assert (refused.status_code, refused.json()["code"]) == (409, "region_differs")
    assert not Order.objects.exists()


def test_a_draft_is_taxed_by_the_country_of_its_address(api, style):
    refused = api.post("/orders", {"region": "DE"})
    assert (refused.status_code, refused.json()["code"]) == (409, "region_differs")
    draft = api.post("/orders", {"saga": style, "shipping_address": BERLIN, "region": "DE"})["Location"]
    assert api.post(f"{draft}/items", {"book_id": "book-123", "quantity": 1}).json()["tax"] == 70
    for path, call in ((draft, api.patch), (f"{draft}/confirm", api.post)):
        refused = call(path, {"region": "US", "payment_method": "e_money"})
        assert (refused.status_code, refused.json()["code"]) == (409, "region_differs")
    assert api.patch(draft, {"shipping_address": LONDON}).json()["tax"] == 0
    order = api.post(f"{draft}/confirm", {"payment_method": "e_money", "shipping_address": TOKYO}).json()
    assert (order["status"], order["tax"], order["shipping_address"]) == ("completed", 100, TOKYO)


@pytest.fixture
def destinations(monkeypatch):
    """The addresses that the carrier receives, in order."""
    given, arrange = [], MockCarrier.arrange

    def arrange_and_note(self, key, *, order_id, address):
        given.append(address)
        return arrange(self, key, order_id=order_id, address=address)

    monkeypatch.setattr(MockCarrier, "arrange", arrange_and_note)
    return given


def test_the_carrier_receives_the_country(place, destinations):
    place(("book-123", 1), shipping_address=LONDON)
    assert destinations == [Address("SW1A 1AA", "The Mall", "GB")]


def test_the_carrier_receives_the_country_of_a_direct_parcel(operator, destinations):
    signed_in(operator).post("/shipping/arrange", {"order_id": ID, "shipping_address": LONDON})
    assert destinations == [Address("SW1A 1AA", "The Mall", "GB")]


def test_the_same_postal_code_in_another_country_is_another_address(operator):
    client, parcel = signed_in(operator), {"order_id": ID, "shipping_address": {**BERLIN, "country": "FR"}}
    assert client.post("/shipping/arrange", parcel).status_code == 200
    refused = client.post("/shipping/arrange", {**parcel, "shipping_address": BERLIN})
    assert (refused.status_code, refused.json()["code"]) == (409, "shipment_differs")
    assert refused.json()["shipping_address"] == {**BERLIN, "country": "FR"}


def test_a_shop_outside_japan_refuses_an_address_as_text(place, settings):
    settings.HOME_REGION = "DE"
    order = place(("book-123", 1), shipping_address={"postal_code": "10115"}).json()
    assert (order["tax"], order["region"]) == (70, "DE")
    refused = place(("book-123", 1), shipping_address="10115 Berlin")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "shipping_address")
