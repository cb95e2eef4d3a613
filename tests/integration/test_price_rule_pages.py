"""Operators edit discounts, coupons and tax rates in the admin, which checks them and keeps their history."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.test import Client

from cloudmart.database.clock import database_now
from cloudmart.kernel.ids import new_id
from orders.coupons import use_coupon
from orders.price_rules import Discount, TaxRate
from orders.selectors import find_price_rules
from tests.acceptance.test_matrix import named, staff_with
from tests.integration.test_races import all_at_once

HOUR = timedelta(hours=1)
DISCOUNTS, RATES = "/admin/orders/discount/", "/admin/orders/taxrate/"
COUPON = {"name": "Autumn", "code": "AUTUMN", "percent_off": "12.5", "from_quantity": "1"}
RATE = {"region": "JP", "percent": "12", "rounding": "ROUND_DOWN"}
EDITING = ("view_discount", "add_discount", "change_discount")
RATING = ("view_taxrate", "add_taxrate", "change_taxrate", "delete_taxrate")


@pytest.fixture
def site(transactional_db):
    client = Client()
    client.force_login(staff_with(*[named(f"orders.{name}") for name in (*EDITING, *RATING)]))
    return client


def fields(form):
    """Splits the times of a form as the admin's page sends them, in the time zone of the shop."""
    sent = {name: value for name, value in form.items() if not name.startswith("valid_")}
    for name in form.keys() - sent.keys():
        time = form[name].astimezone(settings.SHOP_TIME_ZONE)
        sent[f"{name}_0"], sent[f"{name}_1"] = f"{time:%Y-%m-%d}", f"{time:%H:%M:%S}"
    return sent


def send(site, path, form):
    """Returns the errors of the form that is sent; none if it is stored."""
    response = site.post(path, fields(form))
    return {} if response.status_code == 302 else response.context["adminform"].form.errors


def history_of(row):
    return [
        (entry.user.username, entry.get_change_message()) for entry in LogEntry.objects.filter(object_id=row.pk)[::-1]
    ]


# --- Discounts and coupons ------------------------------------------------------------------------


def test_an_operator_adds_a_coupon_and_a_customer_uses_it(site, api, shelve):
    shelve("book-123", 1)
    assert send(site, f"{DISCOUNTS}add/", COUPON) == {}
    order = api.post("/orders", {"book_id": "book-123", "quantity": 1, "coupon": "AUTUMN"}).json()
    assert order["discount"] == 125


def test_the_history_has_the_user_and_the_old_and_new_values(site):
    ends = database_now().replace(microsecond=0) + HOUR
    send(site, f"{DISCOUNTS}add/", COUPON)
    coupon = Discount.objects.get(code="AUTUMN")
    changed = {**COUPON, "percent_off": "", "amount_off": "5000", "valid_until": ends}
    assert send(site, f"{DISCOUNTS}{coupon.pk}/change/", changed) == {}
    (adder, added), (changer, message) = history_of(coupon)
    assert adder == changer and added == "Added discount “AUTUMN: 12.5 % off”."
    assert message.startswith("percent off: 12.500 → none; amount off: none → ¥5,000; valid until: none → ")
    assert f"{ends:%Y}" in message
    page = site.get(f"{DISCOUNTS}{coupon.pk}/history/").content.decode()
    assert "amount off: none → ¥5,000" in page and adder in page


def test_the_history_says_that_nothing_was_changed(site):
    send(site, f"{DISCOUNTS}add/", COUPON)
    coupon = Discount.objects.get(code="AUTUMN")
    assert send(site, f"{DISCOUNTS}{coupon.pk}/change/", COUPON) == {}
    assert history_of(coupon)[-1][1] == "No fields changed."


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"percent_off": "100.001"}, "percent_off"),
        ({"percent_off": "-1"}, "percent_off"),
        ({"percent_off": "12.3456"}, "percent_off"),
        ({"percent_off": "", "amount_off": "0"}, "amount_off"),
        ({"percent_off": "", "amount_off": "1.5"}, "amount_off"),
        ({"percent_off": ""}, "__all__"),
        ({"amount_off": "500"}, "__all__"),
        ({"from_quantity": "0"}, "from_quantity"),
        ({"code": "with space"}, "code"),
        ({"code": "WELCOME10"}, "code"),
        ({"code": "", "max_uses": "5"}, "max_uses"),
        ({"valid_from": database_now, "valid_until": database_now}, "__all__"),
    ],
)
def test_a_discount_that_makes_no_sense_is_refused(site, changes, field):
    now = database_now()
    form = {**COUPON, **{name: now if value is database_now else value for name, value in changes.items()}}
    assert field in send(site, f"{DISCOUNTS}add/", form)
    assert Discount.objects.count() == 3


@pytest.mark.parametrize(
    "columns",
    [
        {"percent_off": 101},
        {"percent_off": -1},
        {"percent_off": None, "amount_off": 0},
        {"percent_off": None, "amount_off": -1},
        {"percent_off": None},
        {"amount_off": 500},
        {"from_quantity": 0},
        {"max_uses": 1, "uses": 2},
        {"uses": -1},
        {"valid_from": "2026-01-02T00:00Z", "valid_until": "2026-01-01T00:00Z"},
        {"code": "WELCOME10"},
    ],
)
def test_the_database_refuses_it_too(transactional_db, columns):
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Discount.objects.create(**{"name": "Autumn", "code": "AUTUMN", "percent_off": 10, **columns})


def test_a_percentage_and_an_amount_are_refused_in_plain_words(site):
    coupon = Discount.objects.create(name="Spring", code="SPRING", percent_off=10)
    for both_or_none in ({"amount_off": "500"}, {"percent_off": ""}):
        for path in ("add/", f"{coupon.pk}/change/"):
            errors = send(site, f"{DISCOUNTS}{path}", {**COUPON, **both_or_none})
            assert errors == {"__all__": ["Enter either a percentage or an amount."]}


def test_an_amount_is_shown_as_people_write_it(site):
    coupon = Discount.objects.create(name="Autumn", code="AUTUMN", amount_off=5000)
    assert "¥5,000" in site.get(DISCOUNTS).content.decode()
    viewer = Client()
    viewer.force_login(staff_with(named("orders.view_discount")))
    page = viewer.get(f"{DISCOUNTS}{coupon.pk}/change/").content.decode()
    assert page.count(">¥5,000</div>") == 1


def test_codes_differ_by_case(transactional_db):
    Discount.objects.create(name="Another", code="welcome10", percent_off=1)
    assert find_price_rules("welcome10", "JP").coupon.percent_off == 1
    assert find_price_rules("WELCOME10", "JP").coupon.percent_off == 10


def test_a_page_that_is_open_while_the_coupon_is_used_changes_no_count(site):
    coupon = Discount.objects.create(name="Autumn", code="AUTUMN", percent_off=10, max_uses=5)
    opened = Discount.objects.get(pk=coupon.pk)
    Discount.objects.update(uses=3)
    form = {**COUPON, "percent_off": "20", "max_uses": "4"}
    assert send(site, f"{DISCOUNTS}{opened.pk}/change/", form) == {}
    coupon.refresh_from_db()
    assert (coupon.uses, coupon.max_uses, coupon.percent_off) == (3, 4, 20)
    assert "max_uses" in send(site, f"{DISCOUNTS}{opened.pk}/change/", {**form, "max_uses": "2"})


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
def test_no_order_uses_a_coupon_between_the_check_of_its_page_and_the_commit(site, monkeypatch):
    coupon = Discount.objects.create(name="Autumn", code="AUTUMN", percent_off=10, max_uses=5, uses=3)
    check, results = Discount.clean, []

    @transaction.atomic
    def use():
        connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
        use_coupon(new_id(), coupon)

    def check_while_it_is_used(discount):
        check(discount)
        results.extend(all_at_once([use]))

    monkeypatch.setattr(Discount, "clean", check_while_it_is_used)
    assert send(site, f"{DISCOUNTS}{coupon.pk}/change/", {**COUPON, "max_uses": "3"}) == {}
    (refused,) = results
    assert isinstance(refused, OperationalError), "the row of the coupon is locked"
    coupon.refresh_from_db()
    assert (coupon.uses, coupon.max_uses) == (3, 3)


def test_the_code_of_a_coupon_stays_and_no_discount_is_deleted(site):
    coupon = Discount.objects.get(code="WELCOME10")
    assert send(site, f"{DISCOUNTS}{coupon.pk}/change/", {**COUPON, "code": "OTHER"}) == {}
    coupon.refresh_from_db()
    assert (coupon.code, coupon.percent_off) == ("WELCOME10", 12.5)
    assert site.post(f"{DISCOUNTS}{coupon.pk}/delete/", {"post": "yes"}).status_code == 403


# --- Tax rates ------------------------------------------------------------------------------------


def test_a_rate_without_a_start_begins_now(site):
    assert send(site, f"{RATES}add/", RATE) == {}
    assert find_price_rules("", "JP").tax.percent == 12
    assert find_price_rules("", "DE").tax.percent == 7


def test_a_rate_is_entered_ahead_and_can_be_changed_until_it_begins(site):
    ahead = {**RATE, "valid_from": database_now().replace(microsecond=0) + HOUR}
    assert send(site, f"{RATES}add/", ahead) == {}
    rate = TaxRate.objects.latest("pk")
    assert send(site, f"{RATES}{rate.pk}/change/", {**ahead, "percent": "13.25"}) == {}
    assert find_price_rules("", "JP").tax.percent == 10
    TaxRate.objects.filter(pk=rate.pk).update(valid_from=database_now())
    assert find_price_rules("", "JP").tax.percent == 13.25
    (_, added), (_, changed) = history_of(rate)
    assert added.startswith("Added tax rate “JP: 12 %, rounded down, from ") and changed == "percent: 12.000 → 13.250"
    assert site.post(f"{RATES}{rate.pk}/change/", fields(ahead)).status_code == 403
    assert site.post(f"{RATES}{rate.pk}/delete/", {"post": "yes"}).status_code == 403


def test_only_a_rate_that_has_not_begun_is_deleted(site):
    later = TaxRate.objects.create(**RATE, valid_from=database_now() + HOUR)
    chosen = {"action": "delete_selected", "post": "yes"}
    site.post(RATES, {**chosen, "_selected_action": [str(pk) for pk in TaxRate.objects.values_list("pk", flat=True)]})
    assert TaxRate.objects.count() == 4
    site.post(RATES, {**chosen, "_selected_action": [str(later.pk)]})
    assert TaxRate.objects.count() == 3
    assert LogEntry.objects.latest("pk").object_repr.startswith("JP: 12 %, rounded down, from ")


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"percent": "100.1"}, "percent"),
        ({"percent": "-1"}, "percent"),
        ({"region": "ZZ"}, "region"),
        ({"rounding": "ROUND_05UP"}, "rounding"),
        ({"valid_from": -HOUR}, "valid_from"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(site, changes, field):
    now = database_now()
    form = {**RATE, **{name: now + v if isinstance(v, timedelta) else v for name, v in changes.items()}}
    assert field in send(site, f"{RATES}add/", form)
    assert TaxRate.objects.count() == 3


@pytest.mark.parametrize("columns", [{"percent": 101}, {"percent": -1}])
def test_the_database_refuses_a_rate_beyond_its_bounds(transactional_db, columns):
    with pytest.raises(IntegrityError), transaction.atomic():
        TaxRate.objects.create(**{**RATE, **columns}, valid_from=database_now())


def test_an_order_list_is_filtered_by_the_regions_that_have_a_rate(site, operator):
    TaxRate.objects.create(**{**RATE, "region": "FR"}, valid_from=database_now())
    desk = Client()
    desk.force_login(operator)
    page = desk.get("/admin/orders/order/").content.decode()
    assert all(f"?region={region}" in page for region in ("DE", "FR", "JP"))
