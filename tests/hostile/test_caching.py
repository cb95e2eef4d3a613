"""Which responses browsers and proxies may cache."""

import pytest
from drf_spectacular.settings import spectacular_settings
from rest_framework.test import APIClient

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.mark.parametrize("path", ["/orders", "/inventory", "/healthz", "/readyz", "/nothing", "/orders/1", "/metrics"])
def test_responses_of_the_api_are_not_cached(api, shelve, path):
    assert api.get(path)["Cache-Control"] == "no-store"
    assert APIClient().get(path)["Cache-Control"] == "no-store"


def test_an_order_is_not_cached(api, shelve):
    shelve("book-123", 3)
    placed = api.post("/orders", ORDER)
    assert placed["Cache-Control"] == "no-store"
    assert api.get(f"/orders/{placed.json()['order_id']}")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("status", "header"), [(411, {"Transfer-Encoding": "chunked"}), (413, {"Content-Length": "200000000"})]
)
def test_a_request_rejected_by_middleware_gets_the_same_headers(client, status, header):
    response = client.generic("POST", "/orders", headers=header)
    assert response.status_code == status
    assert response["Cache-Control"] == "no-store" and "default-src 'none'" in response["Content-Security-Policy"]


def test_a_redirect_to_https_gets_the_same_headers(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/orders")
    assert response.status_code == 301
    assert response["Cache-Control"] == "no-store" and "default-src 'none'" in response["Content-Security-Policy"]


def test_the_schema_is_built_once_and_revalidated_by_its_etag(db, client, monkeypatch):
    first = client.get("/schema")

    def build_again(*args, **kwargs):
        raise AssertionError("the schema is built a second time")

    monkeypatch.setattr(spectacular_settings.DEFAULT_GENERATOR_CLASS, "get_schema", build_again)
    assert client.get("/schema?x=1").content == client.get("/schema?x=2").content == first.content
    unchanged = client.get("/schema", headers={"If-None-Match": first["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert client.get("/schema", headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/schema", "/static/cloudmart/docs.css"])
def test_public_files_may_be_cached(db, client, path):
    response = client.get(path)
    response.close()
    assert response.status_code == 200 and "no-store" not in response.headers.get("Cache-Control", "")
