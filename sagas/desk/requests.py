"""What a client orders."""

from dataclasses import dataclass, field

from cloudmart.kernel.order import Address
from orders.models import Customer


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """Copies of one book, and the price in minor units that the client expects; None: any."""

    book_id: str
    quantity: int
    price: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as a client requests it."""

    customer: Customer
    is_for_guest: bool = False
    """True if the customer is a guest, who is stored together with the order."""
    items: tuple[RequestedLine, ...]
    payment_method: str
    payment_token: str = field(default="", repr=False)
    address: Address | None = None
    """None: the customer's own."""
    region: str | None = None
    """What the client expects; None: any."""
    coupon: str = ""
    saga_style: str
    placed_by: str
    skips_stock_check: bool = False
    """Whether the order is stored although its books may be out of stock; its saga fails then."""
