"""Charges and refunds in the admin, read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.money import formatted
from cloudmart.pages.base import ReadOnlyAdmin, ReadOnlyInline
from cloudmart.pages.cells import Badge, badge_in, column, customer, linked, order, order_link, shortened_in
from payments.models import TAKEN, Payment, Refund, RefundStatus, Status

BADGES = {
    Status.PENDING: Badge("busy", _("pending")),
    Status.CAPTURED: Badge("good", _("captured")),
    Status.DECLINED: Badge("bad", _("declined")),
    Status.CANCELLING: Badge("busy", _("cancelling")),
    Status.CANCELLED: Badge("mute", _("cancelled")),
    Status.REFUNDING: Badge("busy", _("refunding")),
    Status.REFUNDED: Badge("mute", _("refunded")),
}
REFUND_BADGES = {
    RefundStatus.PENDING: Badge("busy", _("pending")),
    RefundStatus.REFUNDED: Badge("good", _("refunded")),
}

status = badge_in("status", _("status"), BADGES)
refund_status = badge_in("status", _("status"), REFUND_BADGES)
reference = shortened_in("transaction_id", _("provider's reference"))
net = column(_("net"), lambda payment: formatted(payment.refundable if payment.status in TAKEN else 0), "net")
order_of_refund = column(_("order"), lambda refund: order_link(refund.payment.order_id), "order")
customer_of_refund = column(_("customer"), lambda refund: customer(refund.payment), "customer")
payment = column(
    _("payment"),
    lambda refund: linked("payments_payment_change", refund.payment_id, formatted(refund.payment.amount)),
    "payment",
)


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = ["created_at", "amount", refund_status, "reference", "reason", reference]
    readonly_fields = ["created_at", refund_status, reference]
    money = ("amount",)
    show_change_link = True


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        order,
        customer,
        "amount",
        "refunded_amount",
        net,
        "payment_method",
        status,
        reference,
    ]
    list_filter = ["status", "payment_method"]
    search_fields = ["order_id", "id", "transaction_id", "idempotency_key"]
    fields = [
        order,
        customer,
        status,
        "amount",
        "refunded_amount",
        net,
        "payment_method",
        "failure",
        reference,
        "created_at",
        "updated_at",
        "id",
        "idempotency_key",
    ]
    readonly_fields = [order, customer, status, net, reference]
    csv_columns = (
        "created_at",
        "order_id",
        "customer_id",
        "amount",
        "refunded_amount",
        "payment_method",
        "status",
        "transaction_id",
        "id",
    )
    money = ("amount", "refunded_amount")
    inlines = [RefundInline]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        order_of_refund,
        customer_of_refund,
        payment,
        "amount",
        refund_status,
        "reference",
        "reason",
        reference,
    ]
    list_filter = ["status"]
    list_prefetch_related = ("payment",)
    search_fields = ["payment__order_id", "payment", "id", "transaction_id", "idempotency_key"]
    fields = [
        order_of_refund,
        customer_of_refund,
        payment,
        refund_status,
        "amount",
        "reference",
        "reason",
        reference,
        "created_at",
        "updated_at",
        "id",
        "idempotency_key",
    ]
    readonly_fields = [order_of_refund, customer_of_refund, payment, refund_status, reference]
    csv_columns = (
        "created_at",
        "payment__order_id",
        "payment__customer_id",
        "amount",
        "status",
        "reference",
        "reason",
        "transaction_id",
        "payment_id",
        "id",
    )
    money = ("amount",)
