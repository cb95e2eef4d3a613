"""What migrations use to make the roles, and to give them the permissions of a later version."""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from django.contrib.auth.management import create_permissions
from django.db.migrations import RunPython

from sagas.operations.roles import ADMIN, MANAGER, OPERATORS, ROLES, SUPPORT, VIEWER

LEVELS = {VIEWER: 0, SUPPORT: 1, MANAGER: 2, OPERATORS: 2, ADMIN: 3}
Granted = Mapping[str, Iterable[str]]
"""Permissions, such as orders.view_order, by the lowest role that gets them."""


def make_roles(granted: Granted) -> RunPython:
    """Returns the operation that makes the roles. A group that has the name of a role already is not changed."""

    def run(apps: Any, editor: Any) -> None:
        groups = apps.get_model("auth.Group").objects.using(editor.connection.alias)
        missing = set(ROLES) - set(groups.values_list("name", flat=True))
        for role in missing:
            groups.create(name=role)
        _grant(apps, editor.connection.alias, granted, missing)

    return RunPython(run, RunPython.noop)


def grant(granted: Granted) -> RunPython:
    """Returns the operation that adds permissions to the groups of these roles and of those above them.

    It runs once in a shop, so that no later migration restores what an administrator takes from a group.
    """

    def run(apps: Any, editor: Any) -> None:
        _grant(apps, editor.connection.alias, granted, LEVELS.keys())

    return RunPython(run, RunPython.noop)


def _grant(apps: Any, using: str, granted: Granted, names: Iterable[str]) -> None:
    permissions = {role: list(find_permissions(apps, using, each)) for role, each in granted.items()}
    for group in apps.get_model("auth.Group").objects.using(using).filter(name__in=names):
        for role, found in permissions.items():
            if LEVELS[role] <= LEVELS[group.name]:
                group.permissions.add(*found)


def find_permissions(apps: Any, using: str, names: Iterable[str]) -> list[Any]:
    """Returns these permissions. Django makes them only after all migrations, so those that are missing are made."""
    wanted = set(names)
    for app in {name.split(".")[0] for name in wanted}:
        make_permissions(apps, app, using)
    permissions = apps.get_model("auth.Permission").objects.using(using).select_related("content_type")
    found = {f"{each.content_type.app_label}.{each.codename}": each for each in permissions}
    return [found[name] for name in wanted]


def make_permissions(apps: Any, app: str, using: str) -> None:
    """Makes the permissions of an app as a migration knows it: with models, but no module of them."""
    config = copy(apps.get_app_config(app))
    config.models_module = True
    create_permissions(config, verbosity=0, using=using, apps=apps)
