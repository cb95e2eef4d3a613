"""An order as every context knows it: plain values, fixed when the order is placed."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.countries import home_country
from cloudmart.kernel.versioned_json import VersionedJson

SAGA = "saga"
"""The actor who compensates a failed order, in histories."""


class PaymentMethod(TranslatedChoices):
    CREDIT_CARD = "credit_card"
    E_MONEY = "e_money"


@dataclass(frozen=True, slots=True)
class Line:
    """One book of an order, with its title and price (minor units a copy) at that time."""

    book_id: str
    title: str
    unit_price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What an order costs, in minor units: total = subtotal - discount + tax."""

    subtotal: int
    discount: int
    tax: int
    total: int


@dataclass(frozen=True, slots=True)
class Address:
    """A shipping address. Carriers decide by `country` and `postal_code`; `text` is for people."""

    postal_code: str
    text: str = ""
    country: str = field(default_factory=home_country)


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """Everything that the steps of a saga know of its order."""

    order_id: UUID
    customer_id: str
    lines: tuple[Line, ...]
    totals: Totals
    coupon: str
    payment_method: str
    payment_token: str = field(repr=False)
    """The gateway's payment token; empty for the method that the gateway has on file."""
    address: Address
    saga_style: str
    placed_at: datetime
    placed_by: str
    """The customer's code, or the name of the operator who placed it for them; shown to operators only."""
    was_draft: bool = False
    """True if it is a confirmed draft."""

    @property
    def region(self) -> str:
        """The region whose tax is due: the country of the address."""
        return self.address.country

    @property
    def amount(self) -> int:
        """The amount charged, in minor units."""
        return self.totals.total

    @property
    def actor(self) -> str:
        return self.placed_by

    def with_actor(self, actor: str) -> "StockRequest":
        """The order's books, with another actor."""
        return StockRequest(self.order_id, self.quantities, actor)

    @property
    def quantities(self) -> dict[str, int]:
        """Copies of each book."""
        return summed((line.book_id, line.quantity) for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        plain = {
            **fields_of(self),
            "order_id": str(self.order_id),
            "lines": list(map(fields_of, self.lines)),
            "totals": fields_of(self.totals),
            "address": fields_of(self.address),
            "placed_at": self.placed_at.isoformat(),
        }
        return STORED_SNAPSHOT.written(plain)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "OrderSnapshot":
        data = STORED_SNAPSHOT.read(stored)
        return cls(
            **{
                **data,
                "order_id": UUID(data["order_id"]),
                "lines": tuple(Line(**line) for line in data["lines"]),
                "totals": Totals(**data["totals"]),
                "address": Address(**data["address"]),
                "placed_at": datetime.fromisoformat(data["placed_at"]),
            }
        )


def fields_of(value: Any) -> dict[str, Any]:
    """Returns the fields of one of these values by name. Unlike `asdict`, copies nothing."""
    return {name: getattr(value, name) for name in value.__slots__}


def _before_drafts(data: dict[str, Any]) -> dict[str, Any]:
    """Snapshots of version 0 are older than drafts."""
    return {**data, "was_draft": False}


def _before_operators_were_named(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not record who placed the order; it takes the customer."""
    return {**data, "placed_by": data["customer_id"]}


def _before_countries(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has the region beside the address, which has no country."""
    others = {name: value for name, value in data.items() if name != "region"}
    return {**others, "address": {**data["address"], "country": data["region"]}}


STORED_SNAPSHOT = VersionedJson((_before_drafts, _before_operators_were_named, _before_countries))


class Basket(Protocol):
    """The part of an order that concerns stock: an OrderSnapshot or a StockRequest."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def quantities(self) -> dict[str, int]: ...
    @property
    def actor(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StockRequest:
    """Copies of some books for an order, requested by `actor`."""

    order_id: UUID
    quantities: dict[str, int]
    actor: str


def summed(pairs: Any) -> dict[str, int]:
    """Adds up (book, copies) pairs by book, in the order of their first mention."""
    total: Counter[str] = Counter()
    for book_id, copies in pairs:
        total[book_id] += copies
    return dict(total)
