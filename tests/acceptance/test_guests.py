"""Orders of guests: an operator names the customer, who is created together with the order."""

import pytest
from django.contrib.auth.models import Permission

from orders.models import Customer, Order
from payments.models import Payment
from tests.acceptance.conftest import end_of
from tests.bookkeeping import findings
from tests.conftest import signed_in
from tests.factories import UserFactory
from tests.integration.test_races import all_at_once

GUEST = {"customer_name": "山田太郎"}
BOOK = {"book_id": "book-123", "quantity": 1}
HOME = {"shipping_address": {"postal_code": "530-0001", "address": "大阪府大阪市北区梅田4-5-6"}}


@pytest.fixture(autouse=True)
def audited(transactional_db):
    """Checks every invariant after each test."""
    yield
    assert findings() == {}


@pytest.fixture
def desk(desk, shelve):
    shelve("book-123", 5)
    return desk


def test_a_guests_order_creates_a_customer(desk, style):
    response = desk.post("/orders", {**GUEST, **BOOK, **HOME, "customer_email": "taro@example.com", "saga": style})
    assert response.status_code == 201
    guest = Customer.objects.get()
    assert response.json()["customer_id"] == guest.pk and guest.pk.startswith("guest-")
    assert (guest.name, guest.email, guest.user) == ("山田太郎", "taro@example.com", None)
    assert (guest.postal_code, guest.address, guest.country) == ("530-0001", "大阪府大阪市北区梅田4-5-6", "JP")
    assert guest.payment_method == Payment.objects.get().payment_method == "credit_card"
    again = desk.post("/orders", {"customer_id": guest.pk, **BOOK, "saga": style})
    assert again.status_code == 201 and again.json()["shipping_address"]["postal_code"] == "530-0001"
    assert Customer.objects.count() == 1


def test_a_guest_needs_no_email_and_a_draft_no_address_yet(desk, style):
    draft = desk.post("/orders", {"order": {**GUEST, "saga": style}})["Location"]
    assert Customer.objects.get().email == ""
    desk.post(f"{draft}/items", BOOK)
    refused = desk.post(f"{draft}/confirm")
    assert refused.status_code == 409 and refused.json()["code"] == "no_shipping_address"
    assert desk.patch(draft, HOME).status_code == 200
    assert desk.post(f"{draft}/confirm").status_code == 200
    assert end_of(draft.rpartition("/")[2])[0] == "completed"


def test_a_guest_has_no_address_of_their_own_to_send_an_order_to(desk):
    refused = desk.post("/orders", {**GUEST, **BOOK})
    assert refused.status_code == 409 and refused.json()["code"] == "no_shipping_address"
    assert not Customer.objects.exists()


@pytest.mark.parametrize("is_draft", [False, True])
def test_a_guest_without_an_address_collects_the_order_at_the_counter(desk, settings, is_draft):
    settings.PICKUP_POSTAL_CODE, settings.PICKUP_ADDRESS = "100-0005", "東京都千代田区丸の内1-9-1"
    if is_draft:
        draft = desk.post("/orders", GUEST)["Location"]
        desk.post(f"{draft}/items", BOOK)
        placed = desk.post(f"{draft}/confirm")
    else:
        placed = desk.post("/orders", {**GUEST, **BOOK})
    address = {"postal_code": "100-0005", "address": "東京都千代田区丸の内1-9-1", "country": "JP"}
    assert placed.json()["status"] == "completed" and placed.json()["shipping_address"] == address


def test_each_guest_is_another_customer(desk):
    for _ in range(2):
        assert desk.post("/orders", {**GUEST, **BOOK, **HOME}).status_code == 201
    assert Customer.objects.filter(name="山田太郎").count() == 2


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({**BOOK}, "no_shipping_address"),
        ({"book_id": "book-999", "quantity": 1, **HOME}, "book_not_found"),
        ({"book_id": "book-123", "quantity": 6, **HOME}, "out_of_stock"),
        ({**BOOK, **HOME, "price": 1}, "price_changed"),
        ({"coupon": "FREE"}, "unknown_coupon"),
        ({**HOME, "region": "DE"}, "region_differs"),
    ],
)
def test_a_refused_order_or_draft_leaves_no_customer(desk, style, more, code):
    refused = desk.post("/orders", {**GUEST, "saga": style, **more})
    assert refused.json()["code"] == code
    assert not Customer.objects.exists() and not Order.objects.exists()


@pytest.mark.parametrize("more", [{}, {**BOOK, **HOME}], ids=["draft", "order"])
def test_a_repeat_with_the_same_key_makes_no_second_customer(desk, style, more):
    first, second = (
        desk.post("/orders", {**GUEST, "saga": style, **more}, headers={"Idempotency-Key": "key"}) for _ in range(2)
    )
    assert first.status_code == 201 and first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert Customer.objects.count() == Order.objects.count() == 1


@pytest.mark.parametrize("more", [{}, {**BOOK, **HOME}], ids=["draft", "order"])
def test_repeats_at_the_same_time_make_one_customer(desk, style, more):
    def send():
        return desk.post("/orders", {**GUEST, "saga": style, **more}, headers={"Idempotency-Key": "key"})

    statuses = {response.status_code for response in all_at_once([send] * 6)}
    assert 201 in statuses and statuses <= {201, 409}
    assert Customer.objects.count() == Order.objects.count() == 1


def test_a_declined_order_is_stored_with_its_customer(desk, style):
    declined = desk.post("/orders", {**GUEST, **BOOK, **HOME, "saga": style, "payment_token": "tok_expired_card"})
    assert declined.status_code == 402
    assert Order.objects.get().customer == Customer.objects.get()


@pytest.mark.parametrize("more", [{}, {**BOOK, **HOME}], ids=["draft", "order"])
@pytest.mark.any_database
def test_only_staff_who_may_order_for_others_order_for_guests(desk, customer, more):
    permissions = Permission.objects.filter(codename__in=["place_order_for_others", "view_order"])
    clerks_without, allowed = UserFactory(is_staff=True), UserFactory(is_staff=True)
    for user in (customer.user, allowed):
        user.user_permissions.set(permissions)
    for user in (customer.user, clerks_without):
        refused = signed_in(user).post("/orders", {**GUEST, **more})
        assert refused.status_code == 403 and refused.json()["code"] == "permission_denied"
    assert Customer.objects.get() == customer
    assert signed_in(allowed).post("/orders", {**GUEST, **more}).status_code == 201


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**GUEST, "customer_id": "customer-001"}, "customer_name"),
        ({"customer_email": "taro@example.com"}, "customer_email"),
        ({"customer_email": "taro@example.com", "customer_id": "customer-001"}, "customer_email"),
        ({"customer_name": ""}, "customer_name"),
        ({"customer_name": "x" * 201}, "customer_name"),
        ({"customer_name": "a\nb"}, "customer_name"),
        ({"customer_name": 1}, "customer_name"),
        ({**GUEST, "customer_email": ""}, "customer_email"),
        ({**GUEST, "customer_email": "taro"}, "customer_email"),
        ({**GUEST, "customer_email": "taro@example"}, "customer_email"),
        ({**GUEST, "customer_email": "a..b@example.com"}, "customer_email"),
        ({**GUEST, "customer_email": "taro@example.com\n"}, "customer_email"),
        ({**GUEST, "customer_email": f"{'x' * 250}@example.com"}, "customer_email"),
    ],
)
@pytest.mark.parametrize("more", [{}, {**BOOK, **HOME}], ids=["draft", "order"])
def test_a_guest_is_named_in_full_or_refused(desk, body, field, more):
    refused = desk.post("/orders", {**body, **more})
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert not Customer.objects.exists()
