"""Charges and refunds in the admin, read-only."""

from django.contrib import admin

from cloudmart.pages.base import ReadOnlyAdmin, ReadOnlyInline
from payments.models import Payment, Refund


class RefundInline(ReadOnlyInline):
    model = Refund
    money = ("amount",)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "order_id",
        "customer_id",
        "amount",
        "refunded_amount",
        "payment_method",
        "status",
        "created_at",
    ]
    list_filter = ["status", "payment_method"]
    search_fields = ["order_id", "id", "transaction_id", "idempotency_key"]
    exclude = ["payment_token"]
    money = ("amount", "refunded_amount")
    inlines = [RefundInline]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["id", "payment_id", "reference", "amount", "status", "reason", "created_at"]
    list_filter = ["status"]
    search_fields = ["payment__order_id", "payment", "id", "transaction_id", "idempotency_key"]
    money = ("amount",)
