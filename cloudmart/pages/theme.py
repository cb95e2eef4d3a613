"""The look of the admin: django-unfold's settings, and the sidebar by what people do."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

Item = dict[str, Any]


def page(title: Any, icon: str, view: str, permission: str) -> Item:
    """Returns a link of the sidebar to the admin's page `view`, for those who hold the permission."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{view}"),
        "permission": holds(permission),
    }


def table(title: Any, icon: str, name: str) -> Item:
    """Returns a link to the list of a model, such as `orders.mail`, for those who may view it."""
    app, model = name.split(".")
    return page(title, icon, f"{app}_{model}_changelist", f"{app}.view_{model}")


def sagas(title: Any, icon: str, attention: str = "") -> Item:
    """Returns a link to the list of sagas, with this choice of its filter for attention."""
    query = {"attention": attention} if attention else None
    return {
        **table(title, icon, "sagas.sagainstance"),
        "link": reverse_lazy("admin:sagas_sagainstance_changelist", query=query),
        "active": lambda request: (
            request.path.startswith(reverse("admin:sagas_sagainstance_changelist"))
            and request.GET.get("attention", "") == attention
        ),
    }


def holds(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


SIDEBAR = [
    {
        "items": [
            {"title": _("Home"), "icon": "home", "link": reverse_lazy("admin:index")},
        ],
    },
    {
        "title": _("Orders"),
        "items": [
            table(_("Orders"), "receipt_long", "orders.order"),
            table(_("Mails"), "mail", "orders.mail"),
            page(_("Compare styles"), "compare_arrows", "compare_orders", "orders.view_order"),
        ],
    },
    {
        "title": _("Stock"),
        "items": [
            table(_("Books"), "menu_book", "inventory.book"),
            table(_("Reservations"), "bookmark", "inventory.reservation"),
            table(_("Stock movements"), "swap_vert", "inventory.stockmovement"),
        ],
    },
    {
        "title": _("Money"),
        "items": [
            table(_("Payments"), "payments", "payments.payment"),
            table(_("Refunds"), "undo", "payments.refund"),
            table(_("Discounts and coupons"), "sell", "orders.discount"),
            table(_("Tax rates"), "percent", "orders.taxrate"),
        ],
    },
    {
        "title": _("Parcels"),
        "items": [
            table(_("Parcels"), "local_shipping", "shipping.shipment"),
        ],
    },
    {
        "title": _("Needs attention"),
        "items": [
            sagas(_("Needs attention"), "warning", attention="required"),
            sagas(_("Waiting"), "hourglass_top", attention="waiting"),
            sagas(_("Abandoned"), "archive", attention="abandoned"),
            sagas(_("All sagas"), "account_tree"),
            table(_("Batches"), "playlist_play", "sagas.batch"),
        ],
    },
    {
        "title": _("Webhooks"),
        "items": [
            table(_("Endpoints"), "webhook", "cloudmart.webhookendpoint"),
            table(_("Deliveries"), "outbox", "cloudmart.webhookdelivery"),
        ],
    },
    {
        "title": _("People"),
        "items": [
            table(_("Customers"), "person", "orders.customer"),
            table(_("Users"), "badge", "auth.user"),
            table(_("Roles"), "groups", "auth.group"),
            table(_("API tokens"), "key", "knox.authtoken"),
        ],
    },
    {
        "title": _("System"),
        "collapsible": True,
        "items": [
            table(_("Saga commands"), "gavel", "sagas.sagaaction"),
            table(_("Orders of batches"), "checklist", "sagas.batchitem"),
            table(_("Saga steps"), "format_list_numbered", "sagas.sagasteplog"),
            table(_("Events"), "bolt", "sagas.event"),
            table(_("Event receipts"), "done_all", "sagas.eventreceipt"),
            table(_("Order lines"), "list", "orders.orderitem"),
            table(_("Order notes"), "sticky_note_2", "orders.ordernote"),
            table(_("Coupon uses"), "redeem", "orders.couponuse"),
            table(_("Stock levels"), "inventory", "inventory.inventoryrecord"),
            table(_("Stock read model"), "inventory_2", "inventory.inventoryview"),
            table(_("Stock events"), "history", "inventory.stockevent"),
            table(_("Sub-shelves"), "splitscreen", "inventory.subshelf"),
            table(_("Pending stock events"), "pending", "inventory.pendingevent"),
            table(_("Workers"), "memory", "sagas.workerheartbeat"),
            table(_("Runs of the audit"), "fact_check", "sagas.auditrun"),
            table(_("Orders by hour"), "bar_chart", "sagas.orderhour"),
            table(_("Attempts of webhooks"), "send", "cloudmart.webhookattempt"),
            table(_("Outbox"), "outgoing_mail", "cloudmart.outboxevent"),
            table(_("Consumers of the outbox"), "conversion_path", "cloudmart.outboxconsumer"),
            table(_("Event sequences"), "tag", "cloudmart.eventsequence"),
            table(_("Idempotency keys"), "fingerprint", "cloudmart.idempotencykey"),
        ],
    },
]

PRIMARY = {
    "50": "oklch(97% .014 254.604)",
    "100": "oklch(93.2% .032 255.585)",
    "200": "oklch(88.2% .059 254.128)",
    "300": "oklch(80.9% .105 251.813)",
    "400": "oklch(70.7% .165 254.624)",
    "500": "oklch(62.3% .214 259.815)",
    "600": "oklch(54.6% .245 262.881)",
    "700": "oklch(48.8% .243 264.376)",
    "800": "oklch(42.4% .199 265.638)",
    "900": "oklch(37.9% .146 265.522)",
    "950": "oklch(28.2% .091 267.935)",
}
"""The blue of links and buttons."""

THEME = {
    "SITE_TITLE": "CloudMart",
    "SITE_HEADER": "CloudMart",
    "SITE_SYMBOL": "shopping_cart",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("cloudmart/icon.svg")}],
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_HISTORY": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": PRIMARY},
    "STYLES": [lambda request: static("cloudmart/desk.css")],
    "DASHBOARD_CALLBACK": "sagas.admin.home.home",
    "SCRIPTS": [lambda request: static("cloudmart/copy.js")],
    "SIDEBAR": {"show_search": True, "navigation": SIDEBAR},
}
