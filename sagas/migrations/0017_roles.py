from typing import Any

from django.conf import settings
from django.db import migrations

from cloudmart.kernel.viewers import VIEW_ORDERS
from sagas.operations.granting import find_permissions, grant, make_roles

FIRST = {
    "Viewer": (
        "cloudmart.view_idempotencykey",
        "inventory.view_book",
        "inventory.view_inventoryrecord",
        "inventory.view_inventoryview",
        "inventory.view_reservation",
        "inventory.view_stockevent",
        "inventory.view_stockmovement",
        "orders.view_couponuse",
        "orders.view_customer",
        "orders.view_discount",
        "orders.view_mail",
        "orders.view_order",
        "orders.view_orderitem",
        "orders.view_taxrate",
        "payments.view_payment",
        "payments.view_refund",
        "sagas.view_auditrun",
        "sagas.view_event",
        "sagas.view_eventreceipt",
        "sagas.view_orderhour",
        "sagas.view_sagaaction",
        "sagas.view_sagainstance",
        "sagas.view_sagasteplog",
        "sagas.view_workerheartbeat",
        "shipping.view_shipment",
    ),
    "Support": (
        "orders.place_order_for_others",
        "orders.resend_mail",
        "sagas.cancel_saga",
        "sagas.retry_saga",
    ),
    "Manager": (
        "inventory.add_book",
        "inventory.add_stock",
        "inventory.adjust_stock",
        "inventory.change_book",
        "inventory.extend_holds",
        "inventory.release_stock",
        "inventory.reserve_stock",
        "orders.add_discount",
        "orders.add_taxrate",
        "orders.change_discount",
        "orders.change_taxrate",
        "orders.delete_taxrate",
        "payments.cancel_payment",
        "payments.process_payment",
        "payments.refund_payment",
        "sagas.abandon_saga",
        "sagas.compensate_saga",
        "sagas.resume_saga",
        "sagas.return_order",
        "sagas.run_audit",
        "shipping.arrange_shipment",
        "shipping.cancel_shipment",
        "shipping.deliver_shipment",
        "shipping.ship_shipment",
    ),
    "Admin": (
        "auth.add_group",
        "auth.add_user",
        "auth.change_group",
        "auth.change_user",
        "auth.delete_group",
        "auth.delete_user",
        "auth.view_group",
        "auth.view_user",
        "axes.change_accessattempt",
        "axes.change_accessfailurelog",
        "axes.change_accesslog",
        "axes.delete_accessattempt",
        "axes.delete_accessfailurelog",
        "axes.delete_accesslog",
        "axes.view_accessattempt",
        "axes.view_accessfailurelog",
        "axes.view_accesslog",
        "knox.add_authtoken",
        "knox.change_authtoken",
        "knox.delete_authtoken",
        "knox.view_authtoken",
        "orders.delete_customer",
    ),
}
NEW = {
    "Viewer": (
        "orders.view_ordernote",
        "sagas.view_auditrun",
        "sagas.view_orderhour",
        "sagas.view_workerheartbeat",
    ),
    "Support": ("orders.note_order",),
    "Manager": ("orders.add_customer", "orders.change_customer", "sagas.run_audit"),
}


def let_staff_read_on(apps: Any, editor: Any) -> None:
    """Gives each member of the staff the permission to read over the API, for which staff needed none until now."""
    using = editor.connection.alias
    (permission,) = find_permissions(apps, using, [VIEW_ORDERS])
    users = apps.get_model(settings.AUTH_USER_MODEL).objects.using(using)
    staff = users.filter(is_staff=True, is_superuser=False)
    for user in staff.exclude(groups__permissions=permission).exclude(user_permissions=permission):
        user.user_permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0016_home_page"),
        ("cloudmart", "0003_text_lengths"),
        ("inventory", "0014_stock_movements"),
        ("orders", "0017_order_numbers"),
        ("payments", "0009_fewer_indexes"),
        ("shipping", "0008_carrier_reports"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("axes", "0010_accessattemptexpiration"),
        ("knox", "0009_extend_authtoken_field"),
    ]

    operations = [
        migrations.RunPython(let_staff_read_on, migrations.RunPython.noop),
        make_roles(FIRST),
        grant(NEW),
    ]
