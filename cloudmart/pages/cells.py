"""Cells of the admin's lists: links, badges, and texts that are copied by a click."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, UUIDField
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.order_numbers import shown

LAST = 8
"""The last characters of a long name, which are shown: in them two UUIDs of the same minute differ."""


class Badge(NamedTuple):
    """How a status is shown: a tone of desk.css (good, bad, busy, wait or mute), and a text."""

    tone: str
    text: Any

    def __str__(self) -> str:
        return format_html('<span class="desk-badge desk-{}">{}</span>', self.tone, self.text)


def linked(view: str, key: Any, text: Any = "") -> str:
    """Returns a link to the admin's page `view` of this key; the text is the key itself if none is given."""
    url = reverse(f"admin:{view}", args=[quote(key)])
    return format_html('<a class="desk-link" href="{}">{}</a>', url, text or key)


def copy_button(value: Any) -> str:
    """Returns a button that copies the value."""
    return render_to_string("cloudmart/copy_button.html", {"copied": value})


def copyable(text: Any, instead: str = "") -> str:
    """Returns the text, or what is shown for it, with a button that copies it."""
    return format_html('<span class="desk-number" title="{}">{}{}</span>', text, instead or text, copy_button(text))


def shortened(text: Any, whole_up_to: int) -> str:
    """Returns the end of a long name such as a UUID, with a button that copies the whole."""
    return copyable(text, _end_of(text, whole_up_to))


def order_link(order_id: UUID | None) -> str:
    """Returns the short number of an order as a link, with a button that copies the id; "-" without an order."""
    if order_id is None:
        return "-"
    link = linked("orders_order_change", order_id, shown(order_id))
    return format_html('<span class="desk-number">{}{}</span>', link, copy_button(order_id))


def id_in(model: type[Model], name: str, is_link: bool = False) -> Any:
    """Returns how a list shows a column: the end of a UUID, the number of an order, and any other as it is.

    A column that is itself a link has neither link nor button in it.
    """
    if not _is_uuid(model, name):
        return name
    is_order = name == "order_id"
    if is_link:
        return column(_of(model, name), lambda row: (key := getattr(row, name)) and _titled(key, is_order), name)
    return order if is_order else shortened_in(name, _of(model, name))


def _is_uuid(model: type[Model], name: str) -> bool:
    """Returns True if the column stores a UUID, its own or that of another row."""
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    if not field.concrete:
        return False
    is_own = not field.is_relation
    return isinstance(field if is_own else field.target_field, UUIDField) and (is_own or name == field.attname)


def _of(model: type[Model], name: str) -> Any:
    field: Any = model._meta.get_field(name)
    return field.verbose_name


def _titled(key: UUID, is_order: bool) -> str:
    return format_html('<span class="desk-number" title="{}">{}</span>', key, shown(key) if is_order else _end_of(key))


def _end_of(text: Any, whole_up_to: int = 2 * LAST) -> str:
    return f"…{str(text)[-LAST:]}" if len(str(text)) > whole_up_to else str(text)


def column(description: Any, content: Callable[[Any], Any], name: str = "cell") -> Any:
    """Returns a column of a list, or a field of a page, that shows this of a row; "-" if it is empty."""

    def cell(row: Any) -> Any:
        return content(row) or None

    cell.__name__ = name
    return admin.display(cell, description=description, empty_value="-")


def badge_in(name: str, description: Any, badges: Mapping[Any, Badge]) -> Any:
    """Returns a column that shows a status as a badge."""
    return column(description, lambda row: str(badges[getattr(row, name)]), name)


def shortened_in(name: str, description: Any, whole_up_to: int = 2 * LAST) -> Any:
    """Returns a column that shows the end of a long name, with a button that copies the whole."""
    return column(description, lambda row: (text := getattr(row, name)) and shortened(text, whole_up_to), name)


def order_in(name: str) -> Any:
    """Returns a column that shows the order whose id is in `name`, as a link."""
    return column(_("order"), lambda row: order_link(getattr(row, name)), "order")


order = order_in("order_id")
customer = column(
    _("customer"), lambda row: row.customer_id and linked("orders_customer_change", row.customer_id), "customer"
)
book = column(_("book"), lambda row: linked("inventory_book_change", row.book_id), "book")
