"""The tasks of the Locust file, sent to our API without Locust."""

import importlib
import sys
from contextlib import contextmanager
from json import dumps
from types import ModuleType, SimpleNamespace

import pytest

from orders.models import Order

pytestmark = pytest.mark.any_database


class Client:
    """Passes the requests of Locust's client on to a client of the API, and counts them by their name."""

    def __init__(self, api):
        self.api, self.statistics = api, []

    @contextmanager
    def request(self, method, path, *, json, headers, name, catch_response):
        assert headers == {"Authorization": "Bearer a-token"} and catch_response
        response = self.api.generic(method, path, "" if json is None else dumps(json), "application/json")
        is_failure, meta = response.status_code >= 400, {"name": name}
        counted = SimpleNamespace(
            status_code=response.status_code,
            ok=not is_failure,
            content=response.content,
            json=response.json,
            request_meta=meta,
            success=lambda: self.statistics.append((meta["name"], True)),
        )
        before = len(self.statistics)
        yield counted
        if len(self.statistics) == before:
            self.statistics.append((meta["name"], not is_failure))


@pytest.fixture
def user(api, customer, shelve, monkeypatch):
    """A user of the Locust file, which is imported with a stand-in for Locust."""
    customer.postal_code, customer.address = "150-0001", "Jingumae 1"
    customer.save()
    shelve("book-123", 10)
    locust = ModuleType("locust")
    locust.FastHttpUser, locust.between = object, lambda *seconds: None
    locust.task = lambda weight: lambda method: method
    monkeypatch.setitem(sys.modules, "locust", locust)
    monkeypatch.setenv("BOOKS", "book-123")
    monkeypatch.setenv("TOKEN", "a-token")
    monkeypatch.delitem(sys.modules, "benchmarks.locustfile", raising=False)
    module = importlib.import_module("benchmarks.locustfile")
    monkeypatch.setattr(module, "DECLINED", 0)
    user = module.Customer()
    user.client = Client(api)
    user.on_start()
    yield user
    del sys.modules["benchmarks.locustfile"]


def test_the_users_place_look_at_and_cancel_orders_and_put_drafts_together(user):
    user.place_order()
    user.look()
    user.order_by_draft()
    user.cancel()
    assert sorted(Order.objects.values_list("status", flat=True)) == ["cancelled", "completed"]
    names = [name for name, _ in user.client.statistics]
    assert {"/orders/{order_id}", "/saga/{order_id}/status", "/orders/{order_id}/confirm"} <= set(names)
    assert all(succeeded for _, succeeded in user.client.statistics), user.client.statistics


def test_a_foreseen_refusal_has_a_line_of_its_own_and_a_wrong_request_is_a_failure(user):
    assert user.send("POST", "/orders", {"book_id": "book-123", "quantity": 11, **user.payment()}) == {}
    assert user.send("POST", "/orders", {"book_id": "book-123", "quantity": 0, **user.payment()}) == {}
    assert user.client.statistics == [("/orders: out_of_stock", True), ("/orders", False)]
