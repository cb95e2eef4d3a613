"""How operators see what must not be changed by hand."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest


def permission_to(permission: str) -> Callable[[Any, HttpRequest], bool]:
    """A `has_…_permission` method, for an action of the admin that needs this permission."""

    def has_permission(self: Any, request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return has_permission


class ReadOnlyAdmin(admin.ModelAdmin):
    """Look, search and filter; no add, no change, no delete."""

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    """Rows that belong to another, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False
