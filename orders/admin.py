"""Customers and orders in the admin."""

from typing import Any

from django.contrib import admin

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline
from orders.models import Customer, Order, OrderItem


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ["id", "name", "email", "user"]
    search_fields = ["id", "name", "email"]
    raw_id_fields = ["user"]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        return ["id"] if obj else []


class OrderItemInline(ReadOnlyInline):
    model = OrderItem


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ["id", "customer", "status", "total", "saga_style", "created_at"]
    list_filter = ["status", "saga_style", "payment_method", "region"]
    list_select_related = ["customer"]
    search_fields = ["id", "customer__id", "customer__name"]
    inlines = [OrderItemInline]
    ordering = ["-id"]


@admin.register(OrderItem)
class OrderItemAdmin(ReadOnlyAdmin):
    list_display = ["order", "book_id", "title", "quantity", "unit_price"]
    search_fields = ["order__id", "book_id", "title"]
