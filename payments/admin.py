"""Charges and refunds in the admin, read-only."""

from django.contrib import admin

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline
from payments.models import Payment, Refund


class RefundInline(ReadOnlyInline):
    model = Refund


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
    search_fields = ["id", "order_id", "customer_id", "transaction_id", "idempotency_key"]
    exclude = ["payment_token"]
    inlines = [RefundInline]
    ordering = ["-id"]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["id", "payment_id", "reference", "amount", "status", "reason", "created_at"]
    list_filter = ["status"]
    search_fields = ["id", "payment__id", "payment__order_id", "transaction_id", "reference"]
    ordering = ["-id"]
