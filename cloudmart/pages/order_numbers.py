"""Orders in the admin by their short number, which links to the order's page and copies the whole id."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from cloudmart.kernel.order_numbers import shown


def order_link(order_id: UUID | None) -> SafeString | str:
    """Returns the short number as a link, with a button that copies the id; "-" without an order."""
    if order_id is None:
        return "-"
    return format_html(
        '<span class="desk-number"><a class="desk-link" href="{}">{}</a>{}</span>',
        reverse("admin:orders_order_change", args=[order_id]),
        shown(order_id),
        copy_button(order_id),
    )


def copy_button(value: object) -> SafeString:
    """Returns a button that copies the value."""
    return render_to_string("cloudmart/copy_button.html", {"copied": value})


def order_number(column: str = "order_id") -> Callable[[Any], SafeString | str]:
    """Returns a column of a list that shows the order whose id is in `column`."""

    @admin.display(description=gettext_lazy("order"))
    def order(row: Any) -> SafeString | str:
        return order_link(getattr(row, column))

    return order
