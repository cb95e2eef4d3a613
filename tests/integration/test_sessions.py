"""Sessions and tokens: a request with a bearer token to the API has no session; every other request may have one."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver
from knox.models import get_token_model
from rest_framework.test import APIClient
from rest_framework.views import APIView

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.fixture
def browser(operator):
    """The browser of an operator who is signed in to the admin."""
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(operator)
    return browser


@pytest.fixture
def bearer(customer):
    """The header with a token of the customer."""
    _, token = get_token_model().objects.create(user=customer.user)
    return {"Authorization": f"Bearer {token}"}


def patterns_in(resolver):
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        elif getattr(pattern, "app_name", "") != "admin":
            yield from patterns_in(pattern)


def test_a_token_takes_precedence_over_a_session_which_is_not_read(browser, bearer, customer, lines):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = browser.get("/orders", headers=bearer)
    assert response.status_code == 200 and "Set-Cookie" not in response.headers
    assert not [query for query in queries if "django_session" in query["sql"]]
    assert lines()[-1]["user_id"] == customer.user.pk


def test_a_wrong_token_is_not_replaced_by_a_session(browser):
    for credentials in ("Bearer nonsense", "Bearer ", "Bearer", "bearer nonsense"):
        assert browser.get("/orders", headers={"Authorization": credentials}).status_code == 401, credentials


def test_a_session_is_accepted_by_the_api_with_a_csrf_token_only(browser, customer, shelve):
    shelve("book-123", 3)
    order = {**ORDER, "customer_id": customer.pk}
    assert browser.get("/orders").status_code == 200
    assert browser.post("/orders", order).status_code == 403
    browser.get("/admin/password_change/")
    token = browser.cookies["csrftoken"].value
    assert browser.post("/orders", order, headers={"X-CSRFToken": token}).status_code == 201


def test_other_credentials_do_not_hide_the_session(browser):
    assert browser.get("/orders", headers={"Authorization": "Basic eDp5"}).status_code == 200


def test_the_admin_has_a_session_even_if_a_proxy_adds_a_token(browser, bearer):
    assert browser.get("/admin/", headers=bearer).status_code == 200
    response = Client().get("/admin/", headers=bearer)
    assert response.status_code == 302 and response["Location"].startswith("/admin/login/")


def test_every_page_outside_of_the_admin_is_an_api_view():
    views = [pattern.callback for pattern in patterns_in(get_resolver()) if pattern.name != "set_language"]
    assert len(views) > 20
    assert all(issubclass(getattr(view, "cls", object), APIView) for view in views)


def test_signing_in_without_a_page_to_return_to_leads_home(client, operator):
    operator.set_password("a long password")
    operator.save()
    response = client.post("/admin/login/", {"username": operator.username, "password": "a long password"})
    assert response["Location"] == "/admin/"
