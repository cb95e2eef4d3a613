"""Taking an order: everything that can refuse without a side effect comes before the first side effect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.utils import timezone

from cloudmart.api.idempotency import Claim
from cloudmart.kernel.facts import Address, Line, OrderFacts, summed
from cloudmart.kernel.following import IsLeaving, never
from cloudmart.kernel.ids import new_id
from inventory import selectors as inventory
from inventory.errors import PriceChanged
from inventory.models import InventoryRecord
from orders import pricing
from orders.errors import NoShippingAddress
from orders.models import Customer, SagaStyle
from sagas.choreography import driver as choreography
from sagas.metrics import counts_refusals
from sagas.models import SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator


@dataclass(frozen=True, slots=True)
class WantedLine:
    """So many copies of a book, and the price that the client expects (None: any)."""

    book_id: str
    quantity: int
    price: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a client asks for."""

    customer: Customer
    items: tuple[WantedLine, ...]
    payment_method: str
    payment_token: str = field(default="", repr=False)
    address: Address | None = None
    """None: the customer's own."""
    region: str
    coupon: str = ""
    saga_style: str


START: dict[str, Callable[[OrderFacts, str, IsLeaving], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.start,
    SagaStyle.CHOREOGRAPHY: choreography.start,
}


@counts_refusals
def place_order(request: OrderRequest, claim: Claim | None = None, is_leaving: IsLeaving = never) -> SagaInstance:
    """Take the order, and run its saga until it rests, has to wait, or its driver is leaving.

    The key of `claim` is answered when it ends.

    Raises NoShippingAddress, UnknownCoupon, UnknownBook, PriceChanged and OutOfStock, having
    written nothing. What fails later is in the saga that is returned.
    """
    address = request.address or Address(request.customer.postal_code, request.customer.address)
    if not address.postal_code:
        raise NoShippingAddress(customer_id=request.customer.pk)
    discounts = pricing.discounts_for(request.coupon)
    wanted = summed((item.book_id, item.quantity) for item in request.items)
    books = inventory.find_books(wanted)
    check_prices(request.items, books)
    inventory.check_availability(books, wanted)
    lines = tuple(
        Line(book_id, books[book_id].book.title, books[book_id].book.price, quantity)
        for book_id, quantity in wanted.items()
    )
    order = OrderFacts(
        order_id=new_id(),
        customer_id=request.customer.pk,
        lines=lines,
        totals=pricing.totals_of(lines, discounts, request.region),
        region=request.region,
        coupon=request.coupon,
        payment_method=request.payment_method,
        payment_token=request.payment_token,
        address=address,
        saga_style=request.saga_style,
        placed_at=timezone.now(),
    )
    return START[request.saga_style](order, claim.tie(order.order_id) if claim else "", is_leaving)


def check_prices(items: Iterable[WantedLine], books: dict[str, InventoryRecord]) -> None:
    """Raises PriceChanged with every book that no longer costs what was expected."""
    changed = [
        {"book_id": item.book_id, "expected": item.price, "current": books[item.book_id].book.price}
        for item in items
        if item.price not in {None, books[item.book_id].book.price}
    ]
    if changed:
        raise PriceChanged(prices=changed)
