"""The names of permissions in the language of the page; the database has them in English."""

from typing import Any

from django.contrib.auth.models import Permission
from django.forms import ModelMultipleChoiceField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

OF_EVERY_MODEL = {
    "add": _("Can add: %(model)s"),
    "change": _("Can change: %(model)s"),
    "delete": _("Can delete: %(model)s"),
    "view": _("Can view: %(model)s"),
}


def permission_name(permission: Permission) -> str:
    """Returns the app, and what the permission allows."""
    content_type = permission.content_type
    action, _separator, model = permission.codename.partition("_")
    if model == content_type.model and action in OF_EVERY_MODEL:
        name = OF_EVERY_MODEL[action] % {"model": content_type.name}
    else:
        name = gettext(permission.name)
    return f"{content_type.app_labeled_name.partition(' | ')[0]} | {name}"


class PermissionChoices(ModelMultipleChoiceField):
    def label_from_instance(self, permission: Permission) -> str:
        return permission_name(permission)


class NamesPermissions:
    """A mixin for the admin of users and roles."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.remote_field.model is Permission:
            kwargs["form_class"] = PermissionChoices
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
