"""The roles of the shop's staff: Django groups, each with the permissions of the roles before it."""

from django.apps import apps

VIEWER, SUPPORT, MANAGER, ADMIN = ROLES = ("Viewer", "Support", "Manager", "Admin")
OPERATORS = "Operators"
"""The only group of earlier versions. New shops have none; where it exists, it has the level of a manager."""

APPS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")

COMMANDS = {
    SUPPORT: {
        "orders.note_order",
        "orders.resend_mail",
        "orders.place_order_for_others",
        "sagas.cancel_saga",
        "sagas.retry_saga",
    },
    MANAGER: {
        "cloudmart.add_webhookendpoint",
        "cloudmart.change_webhookendpoint",
        "cloudmart.delete_webhookendpoint",
        "cloudmart.rotate_secret",
        "cloudmart.send_test",
        "cloudmart.resend_delivery",
        "inventory.add_book",
        "inventory.change_book",
        "inventory.add_stock",
        "inventory.adjust_stock",
        "inventory.reserve_stock",
        "inventory.release_stock",
        "inventory.extend_holds",
        "orders.add_customer",
        "orders.change_customer",
        "orders.add_discount",
        "orders.change_discount",
        "orders.add_taxrate",
        "orders.change_taxrate",
        "orders.delete_taxrate",
        "payments.process_payment",
        "payments.cancel_payment",
        "payments.refund_payment",
        "sagas.compensate_saga",
        "sagas.abandon_saga",
        "sagas.resume_saga",
        "sagas.return_order",
        "sagas.run_audit",
        "shipping.arrange_shipment",
        "shipping.cancel_shipment",
        "shipping.ship_shipment",
        "shipping.deliver_shipment",
    },
    ADMIN: {
        *(f"auth.{verb}_{model}" for model in ("user", "group") for verb in ("add", "change", "delete", "view")),
        *(
            f"axes.{verb}_access{kind}"
            for kind in ("attempt", "failurelog", "log")
            for verb in ("change", "delete", "view")
        ),
        *(f"knox.{verb}_authtoken" for verb in ("add", "change", "delete", "view")),
        "orders.delete_customer",
    },
}
"""The permissions that a role adds to those of the roles before it. A viewer sees every page of the shop."""


def permissions_added_by(role: str) -> set[str]:
    """Returns the permissions that this role is the lowest to have."""
    return views() if role == VIEWER else COMMANDS[role]


def permissions_of(role: str) -> set[str]:
    """Returns all permissions of a role."""
    lower = ROLES[: ROLES.index(role) + 1]
    return {permission for each in lower for permission in permissions_added_by(each)}


def views() -> set[str]:
    """Returns the permission to view each model of the shop."""
    models = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    return {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in models}
