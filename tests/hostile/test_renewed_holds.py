"""A draft reserves copies for a limited time, also when it is renewed or opened again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from inventory.models import Reservation
from orders.models import Order
from tests.acceptance.test_drafts import signed_in_again
from tests.committed import expire_reservations
from tests.conftest import available, signed_in
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once

BOOK = {"book_id": "book-123", "quantity": 2}


@pytest.fixture
def draft(api, shelve):
    """The path of a draft that holds 2 of 100 copies."""
    shelve("book-123", 100)
    return drafted(api)


def drafted(client, **body):
    path = client.post("/orders", body)["Location"]
    client.post(f"{path}/items", BOOK)
    return path


def let_pass(time):
    """Moves the times of all reservations into the past."""
    for hold in Reservation.objects.all():
        moments = {name: getattr(hold, name) - time for name in ("held_since", "expires_at", "updated_at")}
        Reservation.objects.filter(pk=hold.pk).update(**moments)


def reach_the_cap(settings):
    """Lets the reservations reach RESERVATION_CAP and expire now."""
    let_pass(settings.RESERVATION_CAP)
    Reservation.objects.update(expires_at=timezone.now())
    expire_reservations(100)


def remove_and_add_again(api, draft):
    api.delete(f"{draft}/items/book-123")
    return draft, api.post(f"{draft}/items", BOOK)


def delete_and_open_another(api, draft):
    api.delete(draft)
    return open_another(api, draft)


def cancel_and_open_another(api, draft):
    api.post(f"{draft}/cancel")
    return open_another(api, draft)


def open_another(api, draft):
    path = api.post("/orders", {})["Location"]
    return path, api.post(f"{path}/items", BOOK)


def let_expire_and_reserve_again(api, draft):
    Reservation.objects.update(expires_at=timezone.now())
    expire_reservations(100)
    return draft, api.put(f"{draft}/items/book-123", {"quantity": 2})


RENEWALS = [remove_and_add_again, delete_and_open_another, cancel_and_open_another, let_expire_and_reserve_again]


@pytest.mark.parametrize("renew", [*RENEWALS, open_another])
def test_no_reservation_is_renewed_without_end(api, draft, settings, renew):
    began = Reservation.objects.get().held_since
    steps = int(settings.RESERVATION_CAP / timedelta(minutes=10))
    for step in range(1, steps):
        let_pass(timedelta(minutes=10))
        draft, response = renew(api, draft)
        assert response.status_code == 200, (step, response.content)
        newest = Reservation.objects.order_by("-updated_at").first()
        assert newest.held_since == began - step * timedelta(minutes=10)
        assert newest.expires_at <= newest.held_since + settings.RESERVATION_CAP
    let_pass(timedelta(minutes=10))
    draft, refused = renew(api, draft)
    assert (refused.status_code, refused.json()["code"]) == (409, "held_too_long")
    assert refused.json()["book_ids"] == ["book-123"]
    expire_reservations(100)
    assert available("book-123") == 100


def test_after_a_pause_a_book_is_reserved_anew(api, draft, settings):
    reach_the_cap(settings)
    _, refused = remove_and_add_again(api, draft)
    assert refused.json()["pause_seconds"] == settings.RESERVATION_TTL.total_seconds()
    let_pass(settings.RESERVATION_TTL)
    assert api.post(f"{draft}/items", BOOK).status_code == 200
    hold = Reservation.objects.get()
    assert hold.expires_at == hold.held_since + settings.RESERVATION_TTL


def test_a_draft_at_the_cap_can_still_be_confirmed(api, draft, settings):
    reach_the_cap(settings)
    api.patch(draft, {"payment_method": "credit_card"})
    assert api.put(f"{draft}/items/book-123", {"quantity": 2}).json()["code"] == "held_too_long"
    assert api.post(f"{draft}/confirm").json()["status"] == "completed"
    assert api.post(f"{drafted(api)}/extend").status_code == 200, "a purchase ends the chain of reservations"


def test_each_customer_has_a_cap_of_their_own(api, draft, settings, operator):
    reach_the_cap(settings)
    CustomerFactory(id="customer-002")
    clerk = signed_in(operator)
    assert len(clerk.get(drafted(clerk, customer_id="customer-002")).json()["items"]) == 1
    assert clerk.get(drafted(clerk, customer_id="customer-001")).json()["items"] == [], "the customer's cap"


# --- The number of drafts ---------------------------------------------------------------------------


def test_the_open_drafts_of_a_customer_are_limited(api, customer, operator, settings):
    settings.MAX_OPEN_DRAFTS = 3
    clerk = signed_in(operator)
    paths = [client.post("/orders", {"customer_id": customer.pk})["Location"] for client in (api, clerk, api)]
    for client in (api, clerk):
        refused = client.post("/orders", {"customer_id": customer.pk})
        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_drafts")
        assert refused.json()["most_drafts"] == 3
    assert clerk.post("/orders", {"customer_id": CustomerFactory(id="customer-002").pk}).status_code == 201
    api.delete(paths[0])
    assert api.post("/orders", {}).status_code == 201
    api.post(f"{paths[1]}/cancel")
    assert api.post("/orders", {}).status_code == 201


def test_a_placed_order_does_not_count_as_open_draft(api, draft, settings):
    settings.MAX_OPEN_DRAFTS = 1
    assert api.post("/orders", {}).status_code == 409
    assert api.post("/orders", {**BOOK, "payment_method": "e_money"}).status_code == 201
    assert api.post(f"{draft}/confirm", {"payment_method": "e_money"}).status_code == 200
    assert api.post("/orders", {}).status_code == 201


def test_fifty_simultaneous_requests_do_not_exceed_the_limit(api):
    responses = all_at_once([lambda: signed_in_again(api).post("/orders", {})] * 50)
    assert sorted(response.status_code for response in responses) == [201] * 10 + [409] * 40
    assert Order.objects.filter(status="draft").count() == 10
