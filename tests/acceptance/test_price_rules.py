"""Discounts, coupons and tax rates that operators have entered, in both styles: when they apply, how they count."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from cloudmart.database.clock import database_now
from cloudmart.kernel.money import HIGHEST_PRICE
from cloudmart.kernel.order import Line, StockRequest
from orders.errors import WHY_NOT_VALID
from orders.models import Order
from orders.price_rules import CouponUse, Discount, TaxRate
from orders.pricing import totals_of
from orders.selectors import find_price_rules
from shipping.carriers.reports import Progress
from tests import carrier
from tests.acceptance.conftest import BERLIN
from tests.committed import cancel_order as cancel_in_a_transaction
from tests.conftest import signed_in
from tests.integration.test_audit import failing

HOUR = timedelta(hours=1)
BOOK = ("book-123", 1)


@pytest.fixture(autouse=True)
def books(shelve):
    shelve("book-123", 50)
    shelve("book-456", 50)


def coupon(code="AUTUMN", **columns):
    off = {} if "amount_off" in columns else {"percent_off": 10}
    return Discount.objects.create(**{"name": code, "code": code, **off, **columns})


def limited(uses=1):
    return coupon(max_uses=uses)


def tax_rate(percent, region="JP", valid_from=None, rounding="ROUND_DOWN"):
    start = valid_from or database_now()
    return TaxRate.objects.create(region=region, percent=Decimal(percent), rounding=rounding, valid_from=start)


def uses_of(code="AUTUMN"):
    """Returns the counted uses of a coupon; the orders that hold one are as many."""
    uses = Discount.objects.get(code=code).uses
    assert CouponUse.objects.filter(coupon=code).count() == uses
    return uses


def amounts(response):
    order = response.json()
    return order["subtotal"], order["discount"], order["tax"], order["total"]


# --- What an order costs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "copies", "discount"),
    [
        ({"percent_off": "12.5"}, 2, 250),
        ({"percent_off": "12.35"}, 1, 124),
        ({"amount_off": 300}, 2, 300),
        ({"amount_off": 5000}, 2, 2000),
        ({"percent_off": 50, "from_quantity": 2}, 2, 1000),
    ],
)
def test_a_coupon_takes_off_what_it_says(place, columns, copies, discount):
    coupon(**columns)
    order = place(("book-123", copies), coupon="AUTUMN")
    assert order.status_code == 201
    assert amounts(order)[:2] == (copies * 1000, discount)


@pytest.mark.parametrize("percent", ["12.345", "33.333", "99.999", "0.001", "7.300", "100"])
def test_percentages_are_as_exact_from_the_database_as_they_were_entered(percent):
    coupon(percent_off=percent)
    tax_rate(percent)
    rules = find_price_rules("AUTUMN", "JP")
    assert isinstance(rules.coupon.percent_off, Decimal) and isinstance(rules.tax.percent, Decimal)
    assert rules.coupon.percent_off == rules.tax.percent == Decimal(percent)
    off = HIGHEST_PRICE * Decimal(percent) / 100
    tax = (HIGHEST_PRICE - off) * Decimal(percent) / 100
    totals = totals_of([Line("book-456", "A book", HIGHEST_PRICE, 1)], rules.discounts, rules.tax)
    assert (totals.discount, totals.tax) == (off, tax)


def test_a_coupon_from_a_quantity_is_for_the_books_with_so_many_copies(place):
    coupon(percent_off=50, from_quantity=2)
    assert amounts(place(("book-123", 2), ("book-456", 1), coupon="AUTUMN"))[:2] == (3000, 1000)


def test_a_discount_without_a_code_is_given_on_every_order(place):
    Discount.objects.create(name="Autumn sale", percent_off=20)
    assert amounts(place(BOOK)) == (1000, 200, 80, 880)
    assert amounts(place(BOOK, coupon="WELCOME10")) == (1000, 300, 70, 770)


def test_a_discount_is_given_only_while_it_is_valid(place):
    now = database_now()
    Discount.objects.create(name="Next week", percent_off=20, valid_from=now + HOUR)
    Discount.objects.create(name="Last week", percent_off=20, valid_until=now)
    Discount.objects.create(name="Now", percent_off=1, valid_from=now, valid_until=now + HOUR)
    assert amounts(place(BOOK)) == (1000, 10, 99, 1089)


def test_the_latest_rate_that_has_begun_is_due(place):
    tax_rate("8.5", rounding="ROUND_UP")
    tax_rate(50, valid_from=database_now() + HOUR)
    assert amounts(place(("book-123", 1), ("book-456", 2))) == (3000, 0, 255, 3255)


def test_a_region_without_a_rate_has_that_of_other_regions(place):
    paris = {"postal_code": "75001", "country": "FR"}
    assert amounts(place(BOOK, shipping_address=paris)) == (1000, 0, 0, 1000)
    tax_rate("5.25", region="", rounding="ROUND_HALF_EVEN")
    assert amounts(place(BOOK, shipping_address=paris)) == (1000, 0, 52, 1052)
    assert amounts(place(BOOK, shipping_address=BERLIN)) == (1000, 0, 70, 1070)
    tax_rate("5.5", region="FR", rounding="ROUND_HALF_UP")
    assert amounts(place(BOOK, shipping_address=paris)) == (1000, 0, 55, 1055)


def test_an_order_keeps_what_it_was_placed_with(place, api):
    coupon()
    order = place(BOOK, coupon="AUTUMN")
    tax_rate(50)
    Discount.objects.filter(code="AUTUMN").update(valid_until=database_now(), percent_off=99)
    assert amounts(order) == amounts(api.get(order["Location"])) == (1000, 100, 90, 990)
    assert api.post(f"{order['Location']}/cancel").status_code == 200
    assert amounts(api.get(order["Location"])) == (1000, 100, 90, 990)


def test_without_any_rate_nothing_is_sold(place):
    TaxRate.objects.all().delete()
    refused = place(BOOK)
    assert (refused.status_code, refused.json()["code"], refused.json()["region"]) == (409, "no_tax_rate", "JP")
    assert not Order.objects.exists()


# --- Which coupon is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"valid_from": HOUR}, "not_yet_valid"),
        ({"valid_until": -HOUR}, "expired"),
        ({"max_uses": 0}, "used_up"),
        ({"from_quantity": 2}, "quantity_too_low"),
    ],
)
def test_a_coupon_that_is_not_valid_is_refused_before_anything_is_stored(place, columns, reason):
    now = database_now()
    coupon(**{name: now + value if isinstance(value, timedelta) else value for name, value in columns.items()})
    refused = place(BOOK, ("book-456", 1), coupon="AUTUMN")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["reason"]) == (409, "coupon_not_valid", reason)
    assert (problem["coupon"], problem["detail"]) == ("AUTUMN", WHY_NOT_VALID[reason])
    assert not Order.objects.exists() and uses_of() == 0


def test_a_refusal_says_when_the_coupon_is_valid(place):
    coupon("EARLY", valid_from="2100-01-02T03:04:05Z")
    coupon("LATE", valid_until="2001-02-03T04:05:06Z")
    assert place(BOOK, coupon="EARLY").json()["valid_from"] == "2100-01-02T03:04:05Z"
    assert place(BOOK, coupon="LATE").json()["valid_until"] == "2001-02-03T04:05:06Z"


@pytest.mark.parametrize("code", ["autumn", "AUTUMN_", "Autumn"])
def test_a_code_is_compared_exactly(place, code):
    coupon()
    assert place(BOOK, coupon=code).json()["code"] == "unknown_coupon"


# --- How often it is used -------------------------------------------------------------------------


def test_a_coupon_is_used_as_often_as_its_limit_says(place):
    limited(2)
    assert [place(BOOK, coupon="AUTUMN").status_code for _ in range(3)] == [201, 201, 409]
    assert uses_of() == 2


def test_a_coupon_without_a_limit_is_not_counted(place):
    coupon()
    assert place(BOOK, coupon="AUTUMN").status_code == 201
    assert uses_of() == 0


@pytest.mark.parametrize(
    "failing",
    [
        {"payment_token": "tok_expired_card"},
        {"shipping_address": "999-9999 Nowhere"},
    ],
)
def test_an_order_that_fails_gives_its_use_back(place, failing):
    limited()
    assert place(BOOK, coupon="AUTUMN", **failing).json()["code"] in {"payment_declined", "shipping_failed"}
    assert uses_of() == 0
    assert place(BOOK, coupon="AUTUMN").status_code == 201


def test_an_order_that_finds_no_stock_in_its_saga_gives_its_use_back(place, api, style, shelve):
    limited()
    shelve("book-789", 0)
    body = {"book_id": "book-789", "quantity": 1, "coupon": "AUTUMN", "saga": style}
    refused = api.post("/orders", body, headers={"CloudMart-Skip-Stock-Check": "true"})
    assert refused.json()["code"] == "out_of_stock" and Order.objects.get().status == "cancelled"
    assert uses_of() == 0


def test_a_cancelled_order_gives_its_use_back_once(place, api):
    limited(2)
    first, _ = (place(BOOK, coupon="AUTUMN") for _ in range(2))
    for _ in range(2):
        assert api.post(f"{first['Location']}/cancel").status_code == 200
        cancel_in_a_transaction(StockRequest(UUID(first.json()["order_id"]), {}, "operator"), "again")
        assert uses_of() == 1
    assert place(BOOK, coupon="AUTUMN").status_code == 201 and uses_of() == 2


def test_a_returned_order_has_used_its_coupon(place, operator, settings):
    settings.CARRIER_WEBHOOK_SECRET = [carrier.SECRET]
    limited()
    order_id = place(BOOK, coupon="AUTUMN").json()["order_id"]
    for progress in Progress:
        carrier.report(order_id, progress)
    assert signed_in(operator).post(f"/orders/{order_id}/return").status_code == 200
    assert uses_of() == 1 and failing() == {}


def test_an_order_that_is_refused_or_repeated_is_counted_once(place, api, style):
    limited(2)
    assert place(("book-123", 99), coupon="AUTUMN").json()["code"] == "out_of_stock"
    assert uses_of() == 0
    body = {"book_id": "book-123", "quantity": 1, "coupon": "AUTUMN", "saga": style}
    for _ in range(3):
        assert api.post("/orders", body, headers={"Idempotency-Key": "key"}).status_code == 201
        assert uses_of() == 1


def test_a_limit_may_be_set_and_removed_while_a_coupon_is_used(place, api):
    unlimited = coupon()
    uncounted = place(BOOK, coupon="AUTUMN")
    Discount.objects.update(max_uses=1)
    counted = place(BOOK, coupon="AUTUMN")
    assert place(BOOK, coupon="AUTUMN").status_code == 409
    Discount.objects.filter(pk=unlimited.pk).update(max_uses=None)
    assert place(BOOK, coupon="AUTUMN").status_code == 201
    assert uses_of() == 1
    for order, uses in ((uncounted, 1), (counted, 0)):
        assert api.post(f"{order['Location']}/cancel").status_code == 200
        assert uses_of() == uses


# --- Drafts ---------------------------------------------------------------------------------------


@pytest.fixture
def draft(api, style):
    """Returns the path of a new draft with a copy of a book."""
    path = api.post("/orders", {"saga": style})["Location"]
    api.post(f"{path}/items", {"book_id": "book-123", "quantity": 1})
    return path


def test_a_confirmed_draft_counts_as_a_use(api, draft):
    limited()
    api.patch(draft, {"coupon": "AUTUMN"})
    assert uses_of() == 0
    assert amounts(api.post(f"{draft}/confirm", {})) == (1000, 100, 90, 990)
    assert uses_of() == 1


def test_a_draft_whose_coupon_is_used_up_stays_a_draft(api, draft, place):
    limited()
    api.patch(draft, {"coupon": "AUTUMN"})
    place(BOOK, coupon="AUTUMN")
    refused = api.post(f"{draft}/confirm", {})
    assert (refused.json()["code"], refused.json()["reason"]) == ("coupon_not_valid", "used_up")
    assert api.get(draft).json()["status"] == "draft" and uses_of() == 1
    assert amounts(api.patch(draft, {"coupon": None})) == (1000, 0, 100, 1100)
    assert api.post(f"{draft}/confirm", {}).status_code == 200


@pytest.mark.parametrize(("columns", "reason"), [({"valid_until": -HOUR}, "expired"), ({"max_uses": 0}, "used_up")])
def test_a_draft_takes_no_coupon_that_is_not_valid(api, draft, columns, reason):
    now = database_now()
    coupon(**{name: now + value if isinstance(value, timedelta) else value for name, value in columns.items()})
    for refused in (api.patch(draft, {"coupon": "AUTUMN"}), api.post("/orders", {"coupon": "AUTUMN"})):
        assert (refused.json()["code"], refused.json()["reason"]) == ("coupon_not_valid", reason)
    assert Order.objects.get().coupon == ""


def test_a_draft_reaches_the_quantity_of_its_coupon_book_by_book(api, draft):
    coupon(from_quantity=2)
    assert amounts(api.patch(draft, {"coupon": "AUTUMN"})) == (1000, 0, 100, 1100)
    assert api.post(f"{draft}/confirm", {}).json()["reason"] == "quantity_too_low"
    assert amounts(api.put(f"{draft}/items/book-123", {"quantity": 2})) == (2000, 200, 180, 1980)
    assert api.post(f"{draft}/confirm", {}).status_code == 200


def begin_a_rate():
    tax_rate(20)


def begin_a_sale():
    Discount.objects.create(name="Autumn sale", amount_off=500)


@pytest.mark.parametrize(
    ("change", "new"), [(begin_a_rate, (1000, 0, 200, 1200)), (begin_a_sale, (1000, 500, 50, 550))]
)
def test_a_draft_that_costs_something_else_by_now_is_shown_again_before_it_is_placed(api, draft, change, new):
    change()
    assert amounts(api.get(draft)) == (1000, 0, 100, 1100)
    refused = api.post(f"{draft}/confirm", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "order_changed")
    assert amounts(api.get(draft)) == new
    assert amounts(api.post(f"{draft}/confirm", {})) == new


def test_a_coupon_that_ends_is_refused_at_the_confirmation(api, draft):
    coupon()
    assert amounts(api.patch(draft, {"coupon": "AUTUMN"})) == (1000, 100, 90, 990)
    Discount.objects.filter(code="AUTUMN").update(valid_until=database_now())
    assert api.post(f"{draft}/confirm", {}).json()["reason"] == "expired"
    assert amounts(api.put(f"{draft}/items/book-123", {"quantity": 2})) == (2000, 0, 200, 2200)
