"""Taking an order: everything that can refuse without a side effect comes before the first side effect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cloudmart.api.idempotency import Claim
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.limits import check_size
from cloudmart.kernel.order import Address, Line, OrderSnapshot, summed
from cloudmart.kernel.stopping import ShouldStop, never
from inventory import selectors as inventory
from inventory.errors import PriceChanged
from inventory.models import InventoryRecord
from orders import pricing
from orders.errors import NoShippingAddress
from orders.models import Customer, SagaStyle
from sagas.choreography import driver as choreography
from sagas.desk.doubt import naming_order
from sagas.engine.metrics import counts_refusals
from sagas.models import SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """So many copies of a book, and the price that the client expects (None: any)."""

    book_id: str
    quantity: int
    price: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a client asks for."""

    customer: Customer
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


START: dict[str, Callable[[OrderSnapshot, str, ShouldStop], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.start,
    SagaStyle.CHOREOGRAPHY: choreography.start,
}


@counts_refusals
def place_order(request: OrderRequest, claim: Claim | None = None, should_stop: ShouldStop = never) -> SagaInstance:
    """Take the order, and run its saga until it rests, has to wait, or its driver is leaving.

    The key of `claim` is answered when it ends.

    Raises NoShippingAddress, RegionDiffers, OrderTooLarge, UnknownCoupon, UnknownBook, PriceChanged and OutOfStock,
    having written nothing. What fails later is in the saga that is returned. Raises OrderInDoubt for what breaks that
    off.
    """
    customer = request.customer
    address = request.address or Address(customer.postal_code, customer.address, customer.country)
    if not address.postal_code:
        raise NoShippingAddress(customer_id=customer.pk)
    region = pricing.region_of(address, request.region)
    discounts = pricing.discounts_for(request.coupon)
    wanted = summed((item.book_id, item.quantity) for item in request.items)
    check_size(wanted)
    books = inventory.find_books(wanted)
    check_prices(request.items, books)
    inventory.check_availability(books, wanted)
    lines = tuple(
        Line(book_id, books[book_id].book.title, books[book_id].book.price, quantity)
        for book_id, quantity in wanted.items()
    )
    order = OrderSnapshot(
        order_id=new_id(),
        customer_id=customer.pk,
        lines=lines,
        totals=pricing.totals_of(lines, discounts, region),
        coupon=request.coupon,
        payment_method=request.payment_method,
        payment_token=request.payment_token,
        address=address,
        saga_style=request.saga_style,
        placed_at=max(book.read_at for book in books.values()),
        placed_by=request.placed_by,
    )
    return start_saga(order, claim, should_stop)


def start_saga(order: OrderSnapshot, claim: Claim | None, should_stop: ShouldStop) -> SagaInstance:
    """Write the order, and run its saga in its style. Raises OrderInDoubt when that breaks off and may be written."""
    with naming_order(order.order_id, is_new=True):
        return START[order.saga_style](order, claim.tie(order.order_id) if claim else "", should_stop)


def check_prices(items: Iterable[RequestedLine], books: dict[str, InventoryRecord]) -> None:
    """Raises PriceChanged with every book that no longer costs what was expected."""
    changed = [
        {"book_id": item.book_id, "expected": item.price, "current": books[item.book_id].book.price}
        for item in items
        if item.price not in {None, books[item.book_id].book.price}
    ]
    if changed:
        raise PriceChanged(prices=changed)
