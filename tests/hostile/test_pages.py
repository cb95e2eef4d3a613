"""The security headers of pages, and the absence of inline scripts and styles."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.any_database

SCRIPTS = r"<script(?![^>]*(?:\ssrc=|application/json))|\son[a-z]+=|href=.javascript:"
INLINE_SCRIPT, INLINE = re.compile(SCRIPTS), re.compile(rf"{SCRIPTS}|<style|\sstyle=")
"""Inline scripts, which no policy allows; and those and inline styles, which only the admin's allows."""

PUBLIC = ["/", "/docs", "/docs/errors"]
ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.fixture
def admin_browser(api, shelve, operator):
    """The browser of an operator who is signed in to the admin of a shop with one order."""
    shelve("book-123", 3)
    assert api.post("/orders", ORDER).status_code == 201
    browser = Client()
    browser.force_login(operator)
    return browser


def directives(response):
    return dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))


def pages_of(model):
    """Yields the list of a model's rows, the form for a new one, and the pages of the first row."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield reverse(f"{name}_changelist")
    yield reverse(f"{name}_add")
    if row := model._default_manager.first():
        yield from (reverse(f"{name}_{view}", args=[row.pk]) for view in ("change", "history", "delete"))


@pytest.mark.parametrize("path", [*PUBLIC, "/orders", "/nothing", "/healthz"])
def test_the_content_security_policy_allows_only_own_files(db, client, path):
    policy = directives(client.get(path))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & set(" ".join(policy.values()).split())


def test_the_admin_may_also_evaluate_its_own_expressions_and_style_inline(db, client):
    policy, public = directives(client.get("/admin/login/")), directives(client.get("/docs"))
    assert policy.pop("script-src") == "'self' 'unsafe-eval'"
    assert policy.pop("style-src") == "'self' 'unsafe-inline'"
    assert policy.items() <= public.items()


def test_only_the_debug_pages_of_django_have_no_policy(db, client, settings):
    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get("/nothing")
    assert "Content-Security-Policy" in client.get("/docs")


@pytest.mark.parametrize("path", ["/orders", "/nothing", "/healthz"])
def test_responses_to_a_token_have_the_same_headers(api, client, path):
    names = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options")
    with_token, without = api.get(path), client.get(path)
    assert [with_token[name] for name in names] == [without[name] for name in names]


@pytest.mark.parametrize("path", PUBLIC)
def test_no_public_page_has_inline_scripts_or_styles(db, client, path):
    assert not INLINE.search(client.get(path).content.decode())


def test_no_admin_page_has_inline_scripts(admin_browser):
    pages_checked = 0
    for path in [
        "/admin/",
        "/admin/login/",
        "/admin/password_change/",
        *(page for model in admin.site._registry for page in pages_of(model)),
    ]:
        response = admin_browser.get(path)
        if response.status_code == 200:
            found = INLINE_SCRIPT.search(response.content.decode())
            assert not found, f"{path}: {found}"
            pages_checked += 1
    assert pages_checked > 40


def test_the_documentation_loads_a_separate_script(client):
    page = client.get("/docs").content.decode()
    (start,) = re.findall(r'<script src="(/docs[^"]*)"', page)
    script = client.get(start)
    assert script["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/admin/login/", "/orders"])
def test_pages_forbid_type_sniffing_framing_and_foreign_referrers(db, client, path):
    response = client.get(path)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
