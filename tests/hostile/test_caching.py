"""What browsers and proxies may keep of our answers."""

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.mark.parametrize("path", ["/orders", "/inventory", "/healthz", "/readyz", "/nothing", "/orders/1", "/metrics"])
def test_nobody_keeps_what_the_api_answers(api, shelve, path):
    assert api.get(path)["Cache-Control"] == "no-store"
    assert APIClient().get(path)["Cache-Control"] == "no-store"


def test_nobody_keeps_an_order(api, shelve):
    shelve("book-123", 3)
    placed = api.post("/orders", ORDER)
    assert placed["Cache-Control"] == "no-store"
    assert api.get(f"/orders/{placed.json()['order_id']}")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/schema", "/static/cloudmart/docs.css"])
def test_what_is_the_same_for_everybody_may_be_kept(db, client, path):
    answer = client.get(path)
    answer.close()
    assert answer.status_code == 200 and "no-store" not in answer.headers.get("Cache-Control", "")
