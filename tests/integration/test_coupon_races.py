"""Simultaneous orders with a coupon that has a limit: it is used as often as that, however they interleave."""

from collections import Counter
from functools import partial

import pytest
from rest_framework.test import APIClient

from orders.models import Order, SagaStyle
from orders.price_rules import Discount
from tests.integration.test_audit import failing
from tests.integration.test_races import ROUNDS, all_at_once, cancelled

USED_UP = (409, "used_up")


@pytest.fixture(autouse=True)
def books(shelve, settings):
    settings.MAX_OPEN_DRAFTS = 1000
    shelve("book-123", 500)


@pytest.fixture
def limited():
    """Sets the limit of the coupon, as many uses above those that there are."""

    def limited(more):
        coupon, _ = Discount.objects.get_or_create(name="Autumn", code="AUTUMN", percent_off=10)
        Discount.objects.update(max_uses=coupon.uses + more)

    return limited


def sender(api, path, **body):
    """Returns a function that sends this request with a client of its own: its status, and the reason of a refusal."""
    client = APIClient()
    client.credentials(**api._credentials)

    def send():
        response = client.post(path, body)
        return response.status_code, response.json().get("reason")

    return send


def buyer(api, style):
    return sender(api, "/orders", book_id="book-123", quantity=1, coupon="AUTUMN", saga=style)


def confirmer(api, style):
    draft = api.post("/orders", {"saga": style, "coupon": "AUTUMN"})["Location"]
    api.post(f"{draft}/items", {"book_id": "book-123", "quantity": 1})
    return sender(api, f"{draft}/confirm")


def orders_with_the_coupon():
    return Order.objects.filter(coupon="AUTUMN", status="completed").count()


@pytest.mark.parametrize("style", SagaStyle)
def test_a_coupon_is_never_used_more_often_than_its_limit(api, style, limited):
    for round_ in range(1, ROUNDS + 1):
        limited(4)
        jobs = [*[buyer(api, style) for _ in range(10)], *[confirmer(api, style) for _ in range(4)]]
        results = Counter(all_at_once(jobs))
        assert results[USED_UP] == 10
        assert results[201, None] + results[200, None] == 4
        assert Discount.objects.get(code="AUTUMN").uses == orders_with_the_coupon() == 4 * round_
    assert failing() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_orders_and_cancellations_at_once_leave_as_many_uses_as_orders(api, style, limited):
    for _ in range(ROUNDS):
        limited(6)
        placed = [
            api.post("/orders", {"book_id": "book-123", "quantity": 1, "coupon": "AUTUMN", "saga": style})
            for _ in range(4)
        ]
        cancels = [partial(cancelled, api, order.json()["order_id"]) for order in placed]
        results = all_at_once([*cancels, *[buyer(api, style) for _ in range(8)]])
        assert results[:4] == [200] * 4
        assert set(results[4:]) <= {(201, None), USED_UP} and results[4:].count((201, None)) >= 2
        assert Discount.objects.get(code="AUTUMN").uses == orders_with_the_coupon()
    assert failing() == {}
