"""The roles, and role × command × surface: who is allowed what over the API, and what the admin offers to whom."""

import re
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from cloudmart.database.clock import database_now
from cloudmart.kernel.ids import new_id
from inventory.stock_changes import COMMANDS as STOCK_COMMANDS
from orders.price_rules import Discount, TaxRate
from sagas.operations.desk_commands import PERMISSIONS, DeskCommand
from sagas.operations.granting import grant, make_roles
from sagas.operations.offers import offers
from sagas.operations.records import records_of
from sagas.operations.roles import (
    ADMIN,
    MANAGER,
    OPERATORS,
    ROLES,
    SUPPORT,
    VIEWER,
    permissions_added_by,
    permissions_of,
)
from tests.acceptance.test_matrix import ACTIONS, BATCHES, BUTTONS, NEEDED, PAGES, named
from tests.conftest import signed_in
from tests.factories import CustomerFactory, UserFactory
from tests.webhooks import make_endpoint

pytestmark = pytest.mark.any_database

OUR_APPS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
CELLS = {
    VIEWER: set(),
    SUPPORT: {
        "orders.note_order",
        "orders.place_order_for_others",
        "orders.resend_mail",
        "sagas.cancel_saga",
        "sagas.retry_saga",
    },
}
"""What the lower roles may do, in full. Managers may do the rest."""
COMMANDS = {*NEEDED.values(), *ACTIONS.values(), *PAGES, *BUTTONS}


def member_of(*roles):
    user = UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def in_group(name):
    group = Group.objects.get(name=name)
    rows = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def on_pages(request):
    """Returns the permissions to add, change, delete or view what a page of the admin lets a superuser do."""
    for model, page in admin.site._registry.items():
        for verb in ("add", "change", "delete", "view"):
            if getattr(page, f"has_{verb}_permission")(request):
                yield f"{model._meta.app_label}.{verb}_{model._meta.model_name}"


def test_every_permission_is_added_by_exactly_one_role(rf, operator):
    """Those to add, change or delete what no page of the admin edits allow nothing, and no role has them."""
    request = rf.get("/admin/")
    request.user = operator
    models = [model for app in OUR_APPS for model in apps.get_app_config(app).get_models()]
    views = {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in models}
    declared = {f"{model._meta.app_label}.{name}" for model in models for name, _ in model._meta.permissions}
    placed = [permission for role in ROLES for permission in permissions_added_by(role)]
    assert sorted(placed) == sorted(views | declared | set(on_pages(request)))


def rate_of_tomorrow():
    return TaxRate.objects.create(percent=1, rounding="ROUND_UP", valid_from=database_now() + timedelta(days=1))


@pytest.mark.parametrize("role", ROLES)
def test_the_migrations_give_each_role_its_permissions(db, role):
    assert in_group(role) == permissions_of(role)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_runs_its_commands_over_the_api_and_no_other(transactional_db, role):
    """The order and the book are unknown. So a command that is allowed does nothing, and fails with another code."""
    client, allowed = signed_in(member_of(role)), CELLS.get(role, COMMANDS)
    bodies = {
        "/orders": {"customer_id": "nobody"},
        "/saga/start": {"customer_id": "nobody", "book_id": "b", "quantity": 1},
    }
    refused = {}
    for route, method in NEEDED:
        path = route.format(order_id=new_id(), book_id="no-such-book", endpoint_id=new_id(), delivery_id=new_id())
        response = getattr(client, method.lower())(path, bodies.get(route, {}))
        assert response.status_code in range(400, 500), (route, response.content)
        refused[route, method] = response.json()["code"] == "permission_denied"
    assert refused == {cell: needed not in allowed for cell, needed in NEEDED.items()}


@pytest.mark.parametrize("role", ROLES)
def test_the_admin_offers_a_role_its_commands_and_no_other(transactional_db, rf, role):
    request, allowed = rf.get("/admin/"), CELLS.get(role, COMMANDS)
    request.user = member_of(role)
    offered = {(model, name) for model, name in ACTIONS if name in admin.site._registry[model].get_actions(request)}
    assert offered == {action for action, needed in ACTIONS.items() if needed in allowed}
    client = Client()
    client.force_login(request.user)
    rows = {
        "customer": CustomerFactory(),
        "discount": Discount.objects.first(),
        "taxrate": rate_of_tomorrow(),
        "webhookendpoint": make_endpoint(),
    }
    statuses = {}
    for permission, page in PAGES.items():
        row = rows[permission.split("_")[1]]
        path = f"/admin/{row._meta.app_label}/{page.format(pk=row.pk)}"
        statuses[permission] = client.post(path, {}).status_code
    assert statuses == {permission: 200 if permission in allowed else 403 for permission in PAGES}
    for command, permission in BATCHES.items():
        status = client.post(reverse("admin:new_batch", args=[command])).status_code
        assert status == (302 if permission in allowed else 403), command
    for permission, button in BUTTONS.items():
        assert client.post(reverse(button)).status_code == (302 if permission in allowed else 403)
    for page in ("auth/user", "auth/group", "knox/authtoken"):
        assert client.get(f"/admin/{page}/").status_code == (200 if role == ADMIN else 403)
    assert client.get("/admin/orders/order/").status_code == 200


@pytest.mark.parametrize("role", ROLES)
def test_an_orders_page_offers_a_role_its_commands_and_no_other(api, shelve, role):
    shelve("book-123", 3)
    order_id = api.post("/orders", {"book_id": "book-123", "quantity": 1}).json()["order_id"]
    user, allowed, client = member_of(role), CELLS.get(role, COMMANDS), Client()
    client.force_login(user)
    permitted = {command for command, permission in PERMISSIONS.items() if permission in allowed}
    assert {offer.command for offer in offers(records_of(UUID(order_id)), user)} == permitted
    page = client.get(reverse("admin:orders_order_change", args=[order_id])).content.decode()
    linked = set(re.findall(rf'href="/admin/order/{order_id}/([a-z_-]+)/', page))
    assert linked <= permitted and bool(linked) == bool(permitted)
    pages = {command: reverse("admin:order_command", args=[order_id, command]) for command in DeskCommand}
    for command, page in pages.items():
        statuses = [client.get(page).status_code, *([] if command in permitted else [client.post(page).status_code])]
        assert set(statuses) == {200 if command in permitted else 403}, command


@pytest.mark.parametrize("role", ROLES)
def test_a_books_page_offers_a_role_its_commands_and_no_other(transactional_db, shelve, role):
    shelve("book-123", 3)
    allowed, client = CELLS.get(role, COMMANDS), Client()
    client.force_login(member_of(role))
    book, new = reverse("admin:inventory_book_change", args=["book-123"]), reverse("admin:inventory_book_add")
    page = client.get(book).content.decode()
    for command in STOCK_COMMANDS:
        url, is_allowed = (
            reverse(f"admin:inventory_book_{command.name}", args=["book-123"]),
            command.permission in allowed,
        )
        assert (url in page) == is_allowed and client.get(url).status_code == (200 if is_allowed else 403), command
    for url, needed in ((book, "inventory.change_book"), (new, "inventory.add_book")):
        assert client.post(url, {}).status_code == (200 if needed in allowed else 403), needed


def migrate(operation):
    operation.code(apps, SimpleNamespace(connection=connection))


def test_a_permission_of_a_later_version_reaches_the_roles_that_have_it(db):
    """Also the group Operators of earlier versions, which has the level of a manager, and keeps what it has."""
    Permission.objects.filter(codename="resend_mail").delete()
    operators = Group.objects.create(name=OPERATORS)
    operators.permissions.add(named("orders.view_order"))
    migrate(grant({SUPPORT: ["orders.resend_mail"]}))
    assert {role: "orders.resend_mail" in in_group(role) for role in ROLES} == {
        VIEWER: False,
        SUPPORT: True,
        MANAGER: True,
        ADMIN: True,
    }
    assert in_group(OPERATORS) == {"orders.view_order", "orders.resend_mail"}


def test_a_group_of_the_shop_with_the_name_of_a_role_is_not_changed(db):
    Group.objects.get(name=SUPPORT).permissions.clear()
    Group.objects.get(name=VIEWER).delete()
    migrate(make_roles({VIEWER: ["orders.view_order"]}))
    assert in_group(SUPPORT) == set() and in_group(VIEWER) == {"orders.view_order"}


def test_an_upgrade_lets_the_staff_read_on(db):
    without_role, viewer = UserFactory(is_staff=True), member_of(VIEWER)
    customer = UserFactory()
    let_staff_read_on, *_ = import_module("sagas.migrations.0017_roles").Migration.operations
    migrate(let_staff_read_on)
    users = (without_role, viewer, customer)
    assert [user.user_permissions.filter(codename="view_order").exists() for user in users] == [True, False, False]
