"""Placing an order: everything that can be refused is checked before anything is stored."""

from collections.abc import Iterable

from cloudmart.api.claims import Claim, for_order
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.limits import check_size
from cloudmart.kernel.order import Address, Line, OrderSnapshot, summed
from cloudmart.kernel.stopping import ShouldStop, never
from inventory import selectors as inventory
from inventory.errors import PriceChanged
from inventory.models import InventoryRecord
from orders import pricing
from orders.coupons import use_coupon
from orders.errors import NoShippingAddress
from orders.guests import store_guest
from orders.selectors import PriceRules, find_price_rules
from sagas.desk.doubt import naming_order
from sagas.desk.engine import engine
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.engine.metrics import counting_refusals
from sagas.models import SagaInstance


def place_order(request: OrderRequest, claim: Claim | None = None, should_stop: ShouldStop = never) -> SagaInstance:
    """Places the order, and runs its saga until it is finished, has to wait, or `should_stop()`.

    A guest is stored in the saga's first transaction, with the order. The idempotency key of `claim` gets its response
    when the saga is finished.

    Raises NoShippingAddress, RegionDiffers, NoTaxRate, OrderTooLarge, UnknownCoupon, CouponNotValid, UnknownBook,
    BookArchived, PriceChanged and OutOfStock, having stored nothing; not OutOfStock if the request skips that check. A
    later failure is in the saga that is returned. Raises OrderInDoubt for an unforeseen error after which the order
    is, or may be, stored.
    """
    with counting_refusals(request.saga_style):
        address = address_of(request)
        rules = find_price_rules(request.coupon, address.country)
        order = snapshot_of(request, address, rules)
        claim_key, scope = for_order(claim, order.order_id)

        def first() -> None:
            claim_key()
            if request.is_for_guest:
                store_guest(request.customer)
            use_coupon(order.order_id, rules.coupon)

        with naming_order(order.order_id, is_new=True):
            return engine.start(order, first, scope, should_stop)


def address_of(request: OrderRequest) -> Address:
    """Returns where the order goes. Raises NoShippingAddress, and RegionDiffers if the client expects another tax."""
    customer = request.customer
    address = request.address or Address(customer.postal_code, customer.address, customer.country)
    if not address.postal_code:
        raise NoShippingAddress(customer_id=customer.pk)
    pricing.check_region(address, request.region)
    return address


def snapshot_of(request: OrderRequest, address: Address, rules: PriceRules) -> OrderSnapshot:
    """Returns the order that a request amounts to, at the prices of now. Raises what `place_order` raises."""
    quantities = summed((item.book_id, item.quantity) for item in request.items)
    check_size(quantities)
    rules.check_coupon(quantities.values())
    books = inventory.find_for_sale(quantities)
    check_prices(request.items, books)
    if not request.skips_stock_check:
        inventory.check_availability(books, quantities)
    lines = tuple(
        Line(book_id, books[book_id].book.title, books[book_id].book.price, quantity)
        for book_id, quantity in quantities.items()
    )
    return OrderSnapshot(
        order_id=new_id(),
        customer_id=request.customer.pk,
        lines=lines,
        totals=pricing.totals_of(lines, rules.discounts, rules.tax),
        coupon=request.coupon,
        payment_method=request.payment_method,
        payment_token=request.payment_token,
        address=address,
        saga_style=request.saga_style,
        placed_at=max(book.read_at for book in books.values()),
        placed_by=request.placed_by,
    )


def check_prices(items: Iterable[RequestedLine], books: dict[str, InventoryRecord]) -> None:
    """Raises PriceChanged with every book whose price is not the expected one."""
    changed = [
        {"book_id": item.book_id, "expected": item.price, "current": books[item.book_id].book.price}
        for item in items
        if item.price not in {None, books[item.book_id].book.price}
    ]
    if changed:
        raise PriceChanged(prices=changed)
