"""The admin and the API in two languages, and the admin's times in the time zone of the shop."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from benchmarks.admin_pages import admins
from benchmarks.shop import add_keys_and_actions, make_sample
from cloudmart.api import document
from orders.models import Order, SagaStyle
from orders.price_rules import TaxRate
from sagas.models import SagaAction, SagaInstance, State
from sagas.operations.desk_commands import DeskCommand
from tests.factories import UserFactory
from tests.visible_text import english_words, visible_texts

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 1}
PLACED = datetime(2026, 11, 21, 15, 32, 7, tzinfo=UTC)
IN_TOKYO = "2026-11-22 00:32:07"
JAPANESE = {"Accept-Language": "ja"}


def page(site, url, **headers):
    response = site.get(url, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_admin_shows_times_in_the_time_zone_of_the_shop_and_names_it(site, api, shelve, language):
    shelve("book-123", 1)
    order_id = api.post("/orders", ORDER).json()["order_id"]
    Order.objects.update(created_at=PLACED)
    content = page(site, "/admin/orders/order/", **{"Accept-Language": language})
    assert IN_TOKYO in content
    assert "Asia/Tokyo" in content
    assert ("¥1,100" if language == "en" else "1,100円") in content
    assert f'lang="{language}"' in content
    assert api.get(f"/orders/{order_id}").json()["created_at"] == "2026-11-21T15:32:07Z"


def test_a_time_that_is_entered_is_one_of_the_shop(site):
    url = "/admin/orders/taxrate/add/"
    values = {
        "region": "NZ",
        "percent": "10",
        "rounding": "ROUND_DOWN",
        "valid_from_0": "2046-11-22",
        "valid_from_1": "00:32:07",
    }
    assert site.post(url, values, headers=JAPANESE).status_code == 302
    assert TaxRate.objects.get(region="NZ").valid_from == datetime(
        2046, 11, 22, 0, 32, 7, tzinfo=ZoneInfo("Asia/Tokyo")
    )


def test_an_operator_chooses_the_language(site):
    assert 'lang="en"' in page(site, "/admin/")
    response = site.post("/admin/language", {"language": "ja", "next": "/admin/orders/order/"})
    assert (response.status_code, response["Location"]) == (302, "/admin/orders/order/")
    assert 'lang="ja"' in page(site, "/admin/", **{"Accept-Language": "en"})


def test_problems_are_in_the_language_of_the_request(api):
    english, japanese = (api.get("/books/none", headers={"Accept-Language": each}) for each in ("en", "ja"))
    assert (english["Content-Language"], japanese["Content-Language"]) == ("en", "ja")
    assert "Accept-Language" in japanese["Vary"]
    assert english.json()["title"] == "There is no such book."
    assert japanese.json()["title"] == japanese.json()["detail"] == "この書籍はありません。"
    assert japanese.json()["advice"] == "GET /books で書籍とそのコードの一覧を取得してください。"
    assert japanese.json()["code"] == english.json()["code"] == "book_not_found"


def test_details_that_name_values_and_fields_are_translated(api):
    assert "/nowhere" in api.get("/nowhere", headers=JAPANESE).json()["detail"]
    assert not api.get("/nowhere", headers=JAPANESE).json()["detail"].isascii()
    (error,) = api.get("/orders?page_size=0", headers=JAPANESE).json()["errors"]
    assert error == {"field": "page_size", "code": "invalid", "detail": "1 から 200 までの数を指定してください。"}


def test_the_language_of_a_request_ends_with_it(api):
    api.get("/books/none", headers=JAPANESE)
    assert api.get("/books/none").json()["title"] == "There is no such book."


def test_the_description_of_the_api_is_in_english_whoever_asks_first(client):
    english = client.get("/schema").json()
    document._built.cache_clear()
    assert client.get("/schema", headers=JAPANESE).json() == english


# --- Every page in Japanese -----------------------------------------------------------------------

NAMES = {
    "CloudMart",
    "Saga",
    "JSON",
    "CSV",
    "English",
    "Asia",
    "Tokyo",
    "Control",
    "Mac",
    "Command",
    "esc",
    "mock",
    "http",
    "Redis",
    "Webhook",
}
ROLES = {"Viewer", "Support", "Manager", "Admin"}
STORED = re.compile(
    r"\b(^order$|order:\S+|order\.events|test"
    r"|sample|A sample|customer|A customer|A change of mind|first stock|A welcome|For readers"
    r"|From ten copies of a book|saga|seed|cancel|orchestration|(ProviderUnavailable|OutcomeUnknown): attempt \d"
    r"|The account has not enough funds|The carrier does not go there)\b",
    re.IGNORECASE,
)
"""What is in the database, or comes from a provider."""


@pytest.fixture
def japanese(transactional_db, settings):
    settings.PROVIDER_TEXTS = "plain"
    make_sample()
    add_keys_and_actions()
    SagaAction.objects.update(actor="山田")
    client = Client(headers=JAPANESE)
    client.force_login(UserFactory(username="山田", is_staff=True, is_superuser=True))
    return client


def urls_of_tables():
    """Yields the list of each table, its form for a new row, and the pages of its oldest row."""
    for page in admins():
        options = page.model._meta
        name = f"admin:{options.app_label}_{options.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_add")
        if row := page.model._default_manager.order_by("pk").first():
            yield from (reverse(f"{name}_{view}", args=[row.pk]) for view in ("change", "history", "delete"))


def urls_of_orders():
    """Yields the page of an order for each style and outcome, and of every command on one."""
    sagas = {(saga.saga_type, saga.status): saga.order_id for saga in SagaInstance.objects.order_by("pk")}
    yield from (reverse("admin:orders_order_change", args=[order_id]) for order_id in sagas.values())
    order_id = sagas[SagaStyle.ORCHESTRATION, State.COMPLETED]
    yield from (reverse("admin:order_command", args=[order_id, command]) for command in DeskCommand)


def test_no_page_has_an_english_word_in_japanese(japanese):
    pages = ["/", "/admin/", "/admin/find/?q=0000", "/admin/find/?q=customer", "/admin/compare/"]
    left, seen = set(), 0
    reports = [reverse(f"admin:inventory_{name}_report") for name in ("reservation", "stockmovement")]
    stock = [reverse(f"admin:inventory_book_{name}", args=["sample"]) for name in ("add_stock", "adjust_stock")]
    for url in (*pages, "/admin/password_change/", *reports, *stock, *urls_of_tables(), *urls_of_orders()):
        response = japanese.get(url)
        assert response.status_code in (200, 302, 403), url
        if response.status_code == 200:
            seen += 1
            texts = [STORED.sub("", text) for text in visible_texts(response.content.decode())]
            left |= {f"{url}: {word} in {text!r}" for word, text in english_words(texts, NAMES | ROLES)}
    assert not left, "\n".join(sorted(left))
    assert seen > 100
