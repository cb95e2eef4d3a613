"""Customers and orders in the admin."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from cloudmart.api.admin import LargeTableAdmin, ReadOnlyAdmin, ReadOnlyInline, fixed_choices
from orders.models import Customer, Order, OrderItem
from orders.pricing import TAXES


@admin.register(Customer)
class CustomerAdmin(LargeTableAdmin):
    list_display = ["id", "name", "email", "payment_method", "user", "orders"]
    list_prefetch_related = ("user",)
    search_fields = ["id", "email", "^name"]
    raw_id_fields = ["user"]
    ordering = ["pk"]

    def orders(self, customer: Customer) -> str:
        url = reverse("admin:orders_order_changelist", query={"q": customer.pk})
        return format_html('<a href="{}">orders</a>', url)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        return ["id"] if obj else []


class OrderItemInline(ReadOnlyInline):
    model = OrderItem
    money = ("unit_price",)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ["id", "customer", "status", "total", "saga_style", "created_at"]
    list_filter = ["status", "saga_style", "payment_method", fixed_choices("region", TAXES)]
    list_prefetch_related = ("customer",)
    search_fields = ["id", "customer"]
    money = ("subtotal", "discount", "tax", "total")
    inlines = [OrderItemInline]


@admin.register(OrderItem)
class OrderItemAdmin(ReadOnlyAdmin):
    list_display = ["order_id", "book_id", "title", "quantity", "unit_price"]
    search_fields = ["order"]
    money = ("unit_price",)
