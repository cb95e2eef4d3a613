"""What a browser may do with our pages."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.any_database

INLINE = re.compile(r"<script(?![^>]*(?:\ssrc=|application/json))|<style|\sstyle=|\son[a-z]+=|href=.javascript:")
"""What the policy forbids: scripts and styles in the page itself."""

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.fixture
def office(api, shelve, operator):
    """The operator's browser, in a shop where something has happened."""
    shelve("book-123", 3)
    assert api.post("/orders", ORDER).status_code == 201
    browser = Client()
    browser.force_login(operator)
    return browser


def directives(answer):
    return dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))


def pages_of(model):
    """The list of a model's rows, the page of one, its history, and the form for another."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield reverse(f"{name}_changelist")
    yield reverse(f"{name}_add")
    if row := model._default_manager.first():
        yield from (reverse(f"{name}_{view}", args=[row.pk]) for view in ("change", "history", "delete"))


@pytest.mark.parametrize("path", ["/docs", "/admin/login/", "/orders", "/nothing", "/healthz"])
def test_no_script_runs_that_is_not_a_file_of_ours(db, client, path):
    policy = directives(client.get(path))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & set(" ".join(policy.values()).split())


@pytest.mark.parametrize("path", ["/docs", "/admin/login/"])
def test_no_page_for_strangers_has_a_script_or_a_style_within(db, client, path):
    assert not INLINE.search(client.get(path).content.decode())


def test_no_page_of_the_admin_has_a_script_or_a_style_within(office):
    looked_at = 0
    for path in [
        "/admin/",
        "/admin/password_change/",
        *(page for model in admin.site._registry for page in pages_of(model)),
    ]:
        answer = office.get(path)
        if answer.status_code == 200:
            found = INLINE.search(answer.content.decode())
            assert not found, f"{path}: {found}"
            looked_at += 1
    assert looked_at > 40


def test_the_documentation_starts_from_a_script_of_its_own(client):
    page = client.get("/docs").content.decode()
    (start,) = re.findall(r'<script src="(/docs[^"]*)"', page)
    script = client.get(start)
    assert script["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/admin/login/", "/orders"])
def test_no_browser_guesses_a_type_or_tells_where_it_comes_from(db, client, path):
    answer = client.get(path)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
