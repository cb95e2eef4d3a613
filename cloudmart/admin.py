"""The admin of the models that every context shares, and of users and their tokens."""

from typing import Any

from axes.admin import AccessAttemptAdmin, AccessFailureLogAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from knox.admin import AuthTokenAdmin
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from cloudmart.models import IdempotencyKey
from cloudmart.pages import outbox as _outbox  # noqa: F401, registers its pages
from cloudmart.pages.base import LargeTableAdmin, ReadOnlyAdmin
from cloudmart.pages.changelists import FilterByKeys
from cloudmart.pages.permission_names import NamesPermissions
from cloudmart.webhooks import admin as _webhooks  # noqa: F401, registers its pages

admin.site.unregister([User, Group, AuthToken, AccessAttempt, AccessFailureLog, AccessLog])


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Keys without the responses, which may contain the secret of a webhook endpoint or a customer's address."""

    list_display = ["scope", "order_id", "status_code", "created_at", "expires_at"]
    fields = ["scope", "fingerprint", "order_id", "status_code", "location", "created_at", "expires_at"]
    search_fields = ["scope"]


class GroupFilter(FilterByKeys):
    """The members of a group, which are few: customers are in none."""

    title, parameter_name = _("role"), "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(group.pk), group.name) for group in Group.objects.order_by("name")]

    def keys(self) -> QuerySet[Any]:
        group = self.value() or ""
        members = User.groups.through._default_manager
        found = members.filter(group_id=int(group)) if group.isdecimal() else members.none()
        return found.values_list("user_id", flat=True)


class ChoosesByCheckboxes:
    """A mixin: a checkbox for each role or permission. Django's two lists beside each other are wider than a phone."""

    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(  # type: ignore[misc]
            db_field, request, widget=UnfoldAdminCheckboxSelectMultipleWidget, **kwargs
        )


@admin.register(User)
class UserAdmin(ChoosesByCheckboxes, NamesPermissions, LargeTableAdmin, DjangoUserAdmin):  # type: ignore[misc]
    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_filter = [GroupFilter, "is_staff", "is_superuser", "is_active"]
    search_fields = ["^username"]


@admin.register(Group)
class GroupAdmin(ChoosesByCheckboxes, NamesPermissions, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Roles and their permissions."""


@admin.register(AuthToken)
class TokenAdmin(LargeTableAdmin, AuthTokenAdmin):
    list_prefetch_related = ("user",)
    search_fields = ["digest", "token_key", "user__username"]


class WithoutDays:
    """A mixin: no links to days, which MySQL finds in the shop's time zone only if it has tables of time zones."""

    date_hierarchy = None


@admin.register(AccessAttempt)
class LoginAttemptAdmin(WithoutDays, AccessAttemptAdmin):
    """The failed logins that count towards a lockout."""


@admin.register(AccessFailureLog)
class FailedLoginAdmin(WithoutDays, AccessFailureLogAdmin):
    """All failed logins."""


@admin.register(AccessLog)
class LoginAdmin(WithoutDays, AccessLogAdmin):
    """The logins and logouts."""
