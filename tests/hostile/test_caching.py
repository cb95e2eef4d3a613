"""What browsers and proxies may keep of our answers."""

import pytest
from drf_spectacular.settings import spectacular_settings
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


@pytest.mark.parametrize(
    ("status", "header"), [(411, {"Transfer-Encoding": "chunked"}), (413, {"Content-Length": "200000000"})]
)
def test_what_is_refused_before_any_view_has_the_same_headers(client, status, header):
    answer = client.generic("POST", "/orders", headers=header)
    assert answer.status_code == status
    assert answer["Cache-Control"] == "no-store" and "default-src 'none'" in answer["Content-Security-Policy"]


def test_a_redirect_to_https_has_the_same_headers(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/orders")
    assert answer.status_code == 301
    assert answer["Cache-Control"] == "no-store" and "default-src 'none'" in answer["Content-Security-Policy"]


def test_the_schema_is_built_once_and_sent_again_only_if_it_differs(db, client, monkeypatch):
    first = client.get("/schema")

    def build_again(*args, **kwargs):
        raise AssertionError("the schema is built a second time")

    monkeypatch.setattr(spectacular_settings.DEFAULT_GENERATOR_CLASS, "get_schema", build_again)
    assert client.get("/schema?x=1").content == client.get("/schema?x=2").content == first.content
    known = client.get("/schema", headers={"If-None-Match": first["ETag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.get("/schema", headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/schema", "/static/cloudmart/docs.css"])
def test_what_is_the_same_for_everybody_may_be_kept(db, client, path):
    answer = client.get(path)
    answer.close()
    assert answer.status_code == 200 and "no-store" not in answer.headers.get("Cache-Control", "")
