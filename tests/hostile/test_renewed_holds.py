"""Copies that a draft keeps from others: not for ever, and not by many drafts."""

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
    """All that has happened to the holds did so that much earlier."""
    for hold in Reservation.objects.all():
        moments = {name: getattr(hold, name) - time for name in ("held_since", "expires_at", "updated_at")}
        Reservation.objects.filter(pk=hold.pk).update(**moments)


def hold_to_the_end(settings):
    """The holds were extended until they could be no more, and that is over just now."""
    let_pass(settings.RESERVATION_CAP)
    Reservation.objects.update(expires_at=timezone.now())
    expire_reservations(100)


def take_out_and_put_in(api, draft):
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


def let_expire_and_take_again(api, draft):
    Reservation.objects.update(expires_at=timezone.now())
    expire_reservations(100)
    return draft, api.put(f"{draft}/items/book-123", {"quantity": 2})


RENEWALS = [take_out_and_put_in, delete_and_open_another, cancel_and_open_another, let_expire_and_take_again]


@pytest.mark.parametrize("renew", [*RENEWALS, open_another])
def test_no_hold_is_renewed_for_ever(api, draft, settings, renew):
    began = Reservation.objects.get().held_since
    steps = int(settings.RESERVATION_CAP / timedelta(minutes=10))
    for step in range(1, steps):
        let_pass(timedelta(minutes=10))
        draft, answer = renew(api, draft)
        assert answer.status_code == 200, (step, answer.content)
        newest = Reservation.objects.order_by("-updated_at").first()
        assert newest.held_since == began - step * timedelta(minutes=10)
        assert newest.expires_at <= newest.held_since + settings.RESERVATION_CAP
    let_pass(timedelta(minutes=10))
    draft, refused = renew(api, draft)
    assert (refused.status_code, refused.json()["code"]) == (409, "held_too_long")
    assert refused.json()["book_ids"] == ["book-123"]
    expire_reservations(100)
    assert available("book-123") == 100


def test_after_a_pause_in_which_others_could_have_it_a_book_is_held_anew(api, draft, settings):
    hold_to_the_end(settings)
    _, refused = take_out_and_put_in(api, draft)
    assert refused.json()["pause_seconds"] == settings.RESERVATION_TTL.total_seconds()
    let_pass(settings.RESERVATION_TTL)
    assert api.post(f"{draft}/items", BOOK).status_code == 200
    hold = Reservation.objects.get()
    assert hold.expires_at == hold.held_since + settings.RESERVATION_TTL


def test_a_draft_that_may_hold_no_longer_can_still_be_confirmed(api, draft, settings):
    hold_to_the_end(settings)
    api.patch(draft, {"payment_method": "credit_card"})
    assert api.put(f"{draft}/items/book-123", {"quantity": 2}).json()["code"] == "held_too_long"
    assert api.post(f"{draft}/confirm").json()["status"] == "completed"
    assert api.post(f"{drafted(api)}/extend").status_code == 200, "what is bought is not kept from others"


def test_one_customers_drafts_are_not_anothers(api, draft, settings, operator):
    hold_to_the_end(settings)
    CustomerFactory(id="customer-002")
    clerk = signed_in(operator)
    assert len(clerk.get(drafted(clerk, customer_id="customer-002")).json()["items"]) == 1
    assert clerk.get(drafted(clerk, customer_id="customer-001")).json()["items"] == [], "for whom, not who holds it"


# --- How many ---------------------------------------------------------------------------------------


def test_a_customer_has_so_many_open_drafts_and_no_more(api, customer, operator, settings):
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


def test_a_placed_order_is_no_open_draft(api, draft, settings):
    settings.MAX_OPEN_DRAFTS = 1
    assert api.post("/orders", {}).status_code == 409
    assert api.post("/orders", {**BOOK, "payment_method": "e_money"}).status_code == 201
    assert api.post(f"{draft}/confirm", {"payment_method": "e_money"}).status_code == 200
    assert api.post("/orders", {}).status_code == 201


def test_fifty_at_once_open_no_more(api):
    answers = all_at_once([lambda: signed_in_again(api).post("/orders", {})] * 50)
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 40
    assert Order.objects.filter(status="draft").count() == 10
