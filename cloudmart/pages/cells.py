"""Cells of the admin's lists: links, badges, and texts that are copied by a click."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from cloudmart.pages.order_numbers import copy_button, order_number

COPIED = 8
"""The characters of a long name that are shown: the last ones, in which two UUIDs of the same minute differ."""


class Badge(NamedTuple):
    """How a status is shown: a tone of desk.css (good, bad, busy, wait or mute), and a text."""

    tone: str
    text: Any

    def __str__(self) -> str:
        return format_html('<span class="desk-badge desk-{}">{}</span>', self.tone, self.text)


def linked(view: str, key: Any, text: Any = "") -> str:
    """Returns a link to the admin's page `view` of this key; the text is the key itself if none is given."""
    return format_html('<a class="desk-link" href="{}">{}</a>', reverse(f"admin:{view}", args=[key]), text or key)


def copyable(text: Any, shown: str = "") -> str:
    """Returns the text, or what is shown for it, with a button that copies it."""
    return format_html('<span class="desk-number" title="{}">{}{}</span>', text, shown or text, copy_button(text))


def shortened(text: Any) -> str:
    """Returns the end of a long name such as a UUID, with a button that copies the whole."""
    return copyable(text, f"…{str(text)[-COPIED:]}" if len(str(text)) > 2 * COPIED else "")


def column(description: Any, shown: Callable[[Any], Any], name: str = "cell") -> Any:
    """Returns a column of a list, or a field of a page, that shows this of a row; "-" if it is empty."""

    def cell(row: Any) -> Any:
        return shown(row) or None

    cell.__name__ = name
    return admin.display(cell, description=description, empty_value="-")


def badge_in(name: str, description: Any, badges: Mapping[Any, Badge]) -> Any:
    """Returns a column that shows a status as a badge."""
    return column(description, lambda row: str(badges[getattr(row, name)]), name)


def shortened_in(name: str, description: Any) -> Any:
    """Returns a column that shows the end of a long name, with a button that copies the whole."""
    return column(description, lambda row: (text := getattr(row, name)) and shortened(text), name)


order: Any = order_number()
customer = column(
    _("customer"), lambda row: row.customer_id and linked("orders_customer_change", row.customer_id), "customer"
)
book = column(_("book"), lambda row: linked("inventory_book_change", row.book_id), "book")
