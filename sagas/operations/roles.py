"""The group Operators, whose members see every page of the admin and run every operator command."""

from typing import Any

from django.apps import apps as installed
from django.db.models import Q

OPERATORS = "Operators"
EDITING = {
    ("inventory", "add_book"),
    ("inventory", "change_book"),
    ("orders", "add_discount"),
    ("orders", "change_discount"),
    ("orders", "add_taxrate"),
    ("orders", "change_taxrate"),
    ("orders", "delete_taxrate"),
}
"""Django's own permissions to add, change and delete what operators edit, in the admin or over the API."""

APPS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")


def create_operators(using: str, apps: Any = installed, **kwargs: Any) -> None:
    """Creates the group, unless it exists, once a migration has created all of its permissions.

    An existing group is not changed: an administrator may have removed permissions from it.
    """
    try:
        groups, permissions = apps.get_model("auth.Group").objects, apps.get_model("auth.Permission").objects
    except LookupError:
        return
    wanted = operator_permissions()
    found = permissions.using(using).filter(is_any_of(wanted))
    if len(found) == len(wanted) and not groups.using(using).filter(name=OPERATORS).exists():
        groups.using(using).create(name=OPERATORS).permissions.add(*found)


def operator_permissions() -> set[tuple[str, str]]:
    """Returns app and codename of each operator command, and of viewing each of our models."""
    models = [model for app in APPS for model in installed.get_app_config(app).get_models()]
    commands = {(model._meta.app_label, codename) for model in models for codename, _ in model._meta.permissions}
    return commands | EDITING | {(model._meta.app_label, f"view_{model._meta.model_name}") for model in models}


def is_any_of(permissions: set[tuple[str, str]]) -> Q:
    return Q.create(
        [Q(content_type__app_label=app, codename=codename) for app, codename in permissions], connector=Q.OR
    )
