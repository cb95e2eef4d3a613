"""What requests are made of, besides plain values."""

from typing import NotRequired, TypedDict


class Item(TypedDict):
    """Copies of a book. `price` is what you expect a copy to cost; the order is refused if it has changed."""

    book_id: str
    quantity: int
    price: NotRequired[int]


class AddressParts(TypedDict):
    """An address. Without a country it is in the shop's own."""

    postal_code: str
    address: NotRequired[str]
    country: NotRequired[str]


Destination = AddressParts | str
"""Where an order goes: an address, or in the shop's own country a line that contains the postal code."""
