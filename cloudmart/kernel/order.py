"""An order as every context knows it: plain values, fixed when the order is taken."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import TextChoices

from cloudmart.kernel.countries import home_country
from cloudmart.kernel.versioned_json import StoredSchema

SAGA = "saga"
"""Who undoes an order that has failed, as a history has it."""


class PaymentMethod(TextChoices):
    CREDIT_CARD = "credit_card"
    E_MONEY = "e_money"


@dataclass(frozen=True, slots=True)
class Line:
    """One book of an order, with its title and price (minor units a copy) as they were."""

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
    """Where a parcel goes. Carriers decide by `country` and `postal_code`; the rest is for people."""

    postal_code: str
    text: str = ""
    country: str = field(default_factory=home_country)


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """All that a saga's steps may know of its order."""

    order_id: UUID
    customer_id: str
    lines: tuple[Line, ...]
    totals: Totals
    coupon: str
    payment_method: str
    payment_token: str = field(repr=False)
    """The gateway's token for what pays; empty for the method that the gateway has on file."""
    address: Address
    saga_style: str
    placed_at: datetime
    placed_by: str
    """The customer's code, or the name of the operator who has placed it for them; shown to operators only."""
    was_draft: bool = False
    """Whether it was put together book by book, and then confirmed."""

    @property
    def region(self) -> str:
        """Whose tax is due: the country that the parcel goes to."""
        return self.address.country

    @property
    def amount(self) -> int:
        """What is charged, in minor units."""
        return self.totals.total

    @property
    def actor(self) -> str:
        """Whoever has placed it."""
        return self.placed_by

    def handled_by(self, actor: str) -> "StockRequest":
        """Its books, with somebody else acting on them."""
        return StockRequest(self.order_id, self.quantities, actor)

    @property
    def quantities(self) -> dict[str, int]:
        """Copies wanted of each book."""
        return summed((line.book_id, line.quantity) for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        plain = {**asdict(self), "order_id": str(self.order_id), "placed_at": self.placed_at.isoformat()}
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


def _before_drafts(data: dict[str, Any]) -> dict[str, Any]:
    """There were no drafts then, and no versions."""
    return {**data, "was_draft": False}


def _before_operators_were_named(data: dict[str, Any]) -> dict[str, Any]:
    """Whoever had placed it, the customer was written down."""
    return {**data, "placed_by": data["customer_id"]}


def _before_countries(data: dict[str, Any]) -> dict[str, Any]:
    """The region stood beside the address then, which had no country of its own."""
    others = {name: value for name, value in data.items() if name != "region"}
    return {**others, "address": {**data["address"], "country": data["region"]}}


STORED_SNAPSHOT = StoredSchema((_before_drafts, _before_operators_were_named, _before_countries))


class Basket(Protocol):
    """What has to be known of an order to hold its books."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def quantities(self) -> dict[str, int]: ...
    @property
    def actor(self) -> str:
        """Who wants them, for the history."""
        ...


@dataclass(frozen=True, slots=True)
class StockRequest:
    """Copies of some books that `actor` wants for an order: a basket and no more."""

    order_id: UUID
    quantities: dict[str, int]
    actor: str


def summed(pairs: Any) -> dict[str, int]:
    """(book, copies) pairs with the same book added up, in the order of their first mention."""
    total: Counter[str] = Counter()
    for book_id, copies in pairs:
        total[book_id] += copies
    return dict(total)
