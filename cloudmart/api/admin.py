"""Base classes of the admin pages for rows that must not be edited by hand."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest


def permission_to(permission: str) -> Callable[[Any, HttpRequest], bool]:
    """Returns a `has_…_permission` method for an admin action that needs `permission`."""

    def has_permission(self: Any, request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return has_permission


def nobody(self: Any, request: HttpRequest, obj: Any = None) -> bool:
    """A `has_…_permission` method that allows nobody."""
    return False


class ReadOnlyAdmin(admin.ModelAdmin):
    """A page on which rows can be read, searched and filtered, but not added, changed or deleted."""

    has_add_permission = has_change_permission = has_delete_permission = nobody


class ReadOnlyInline(admin.TabularInline):
    """Read-only rows on the page of the row that they belong to."""

    extra = 0
    has_add_permission = has_change_permission = has_delete_permission = nobody
