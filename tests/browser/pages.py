"""Every kind of page of the site."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.urls import reverse

PUBLIC = ["/", "/docs", "/docs/errors", "/admin/login/"]
"""Pages for everybody."""


def pages_of_the_admin() -> Iterator[str]:
    """Yields the paths of the home page, of every model's list, and of its first row and its form for a new one."""
    yield from (reverse(f"admin:{name}") for name in ("index", "password_change"))
    for model in admin.site._registry:
        yield from pages_of(model)


def pages_of(model: Any) -> Iterator[str]:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield reverse(f"{name}_changelist")
    if row := model._default_manager.first():
        yield from (reverse(f"{name}_{view}", args=[row.pk]) for view in ("change", "history"))
