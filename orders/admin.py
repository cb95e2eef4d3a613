"""Customers, orders and mails in the admin."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order_numbers import shown
from cloudmart.pages.base import (
    LargeTableAdmin,
    ReadOnlyAdmin,
    RecordsValues,
    fixed_choices,
    nobody,
    permission_to,
)
from cloudmart.pages.cells import Badge, badge_in
from cloudmart.pages.cells import order as order_column
from orders.customer_form import CustomerForm
from orders.locks import lock_customer, lock_discount
from orders.mails import queue
from orders.mails.rendering import text_of
from orders.models import Customer, Mail, MailStatus, OrderItem, OrderNote, Outcome
from orders.price_rules import CouponUse, Discount, TaxRate
from orders.selectors import regions_with_a_rate

MOST_AT_ONCE = 100
"""Mails that one action resends."""


MAIL_BADGES = {
    MailStatus.PENDING: Badge("busy", _("waiting")),
    MailStatus.SENT: Badge("good", _("sent")),
    MailStatus.FAILED: Badge("bad", _("failed")),
    MailStatus.NO_ADDRESS: Badge("mute", _("no address")),
}
mail_status = badge_in("status", _("status"), MAIL_BADGES)


@admin.register(Customer)
class CustomerAdmin(RecordsValues, LargeTableAdmin):
    """Customers. Orders keep the address that they were placed with."""

    form = CustomerForm
    list_display = ["id", "name", "email", "payment_method", "language", "user", "orders"]
    list_prefetch_related = ("user",)
    search_fields = ["id", "email", "^name"]
    raw_id_fields = ["user"]
    ordering = ["pk"]
    csv_columns = ("id", "name", "email", "postal_code", "address", "country", "payment_method", "language")

    @admin.display(description=_("orders"))
    def orders(self, customer: Customer) -> str:
        url = reverse("admin:orders_order_changelist", query={"q": customer.pk})
        return format_html('<a class="desk-link" href="{}">{}</a>', url, gettext("orders"))

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[Any]:
        """The user who may order as this customer is chosen by those who may change users."""
        shown = [*super().get_readonly_fields(request, obj), *["id", "orders"] * bool(obj)]
        return shown if request.user.has_perm("auth.change_user") else [*shown, "user"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Customer | None:
        """Locks the customer whose page is sent, so that the history has the values that were replaced."""
        customer = super().get_object(request, object_id, from_field)
        return lock_customer(customer.pk) if customer and request.method == "POST" else customer


class RegionFilter(fixed_choices("region", ())):  # type: ignore[misc]
    """Offers the regions with a tax rate."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(region, region) for region in regions_with_a_rate()]


class OrderAdmin(ReadOnlyAdmin):
    """Registered in sagas/admin, whose list and page show what the other contexts have stored for an order."""

    list_prefetch_related = ("customer",)
    search_fields = ["customer", "^number", "id"]
    money = ("subtotal", "discount", "tax", "total")
    csv_columns = (
        "created_at",
        "number",
        "customer_id",
        "customer__name",
        "status",
        "subtotal",
        "discount",
        "tax",
        "total",
        "region",
        "coupon",
        "payment_method",
        "cancel_reason",
        "saga_style",
        "id",
    )


@admin.register(OrderNote)
class OrderNoteAdmin(ReadOnlyAdmin):
    """Notes are added on the page of their order."""

    list_display = ["at", order_column, "author", "text"]
    search_fields = ["order"]


@admin.register(OrderItem)
class OrderItemAdmin(ReadOnlyAdmin):
    list_display = [order_column, "book_id", "title", "quantity", "unit_price"]
    list_display_links = ["book_id"]
    search_fields = ["order"]
    money = ("unit_price",)


@admin.register(Discount)
class DiscountAdmin(RecordsValues, LargeTableAdmin):
    """Discounts and coupons. They are ended, not deleted: orders name their codes."""

    list_display = ["name", "code", "discount", "from_quantity", "valid_from", "valid_until", "uses", "max_uses"]
    money = ("amount_off",)
    search_fields = ["code"]
    ordering = ["pk"]

    has_delete_permission = nobody

    @admin.display(description=_("discount"))
    def discount(self, discount: Discount) -> str:
        return discount.off

    def get_readonly_fields(self, request: HttpRequest, obj: Discount | None = None) -> list[Any]:
        shown = super().get_readonly_fields(request, obj)
        return ["code", "uses", *shown] if obj else ["uses", *shown]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Discount | None:
        """Locks the discount whose page is sent, so that the uses are still those that were checked."""
        discount = super().get_object(request, object_id, from_field)
        return lock_discount(discount.pk) if discount and request.method == "POST" else discount


@admin.register(CouponUse)
class CouponUseAdmin(ReadOnlyAdmin):
    list_display = ["order_id", "coupon_id"]
    search_fields = ["order", "coupon"]


@admin.register(TaxRate)
class TaxRateAdmin(RecordsValues, LargeTableAdmin):
    """Tax rates. One that has been in force is not changed: a later one supersedes it."""

    list_display = ["__str__", "region", "percent", "rounding", "valid_from"]
    search_fields = ["region"]

    def has_change_permission(self, request: HttpRequest, obj: TaxRate | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_in_force)

    def has_delete_permission(self, request: HttpRequest, obj: TaxRate | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_in_force)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        order_column,
        "outcome",
        mail_status,
        "recipient",
        "sent_at",
        "attempts",
        "next_attempt",
        "error",
    ]
    list_filter = ["status", fixed_choices("outcome", Outcome)]
    list_defer = ("data",)
    search_fields = ["order", "id"]
    fields = [
        order_column,
        "outcome",
        mail_status,
        "recipient",
        "language",
        "created_at",
        "sent_at",
        "attempts",
        "next_attempt",
        "retry_until",
        "resends",
        "error",
        "id",
        "text",
    ]
    readonly_fields = [order_column, mail_status, "created_at", "next_attempt", "id", "text"]
    actions = ["resend"]

    has_resend_permission = permission_to("orders.resend_mail")

    @admin.display(description=_("next attempt"), empty_value="-")
    def next_attempt(self, mail: Mail) -> datetime | None:
        return mail.due_at if mail.status == MailStatus.PENDING else None

    @admin.display(description=_("text"))
    def text(self, mail: Mail) -> str:
        text = text_of(mail)
        return format_html('<pre class="desk-text">{}\n\n{}</pre>', text.subject, text.body)

    @admin.action(description=_("Resend: send these mails once more"), permissions=["resend"])
    def resend(self, request: HttpRequest, selected: QuerySet[Mail]) -> None:
        mails = list(selected[: MOST_AT_ONCE + 1])
        if len(mails) > MOST_AT_ONCE:
            too_many = gettext("Select at most %(most)s at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, too_many, messages.ERROR)
            return
        for mail in mails:
            try:
                queue.resend(mail.pk)
            except IllegalMove:
                result, level = gettext("The mail is waiting to be sent."), messages.WARNING
            else:
                self.log_change(request, mail, "Resent.")
                result, level = gettext("A worker sends the mail once more."), messages.SUCCESS
            self.message_user(request, f"{shown(mail.order_id)}: {result}", level)
