"""The commands on chosen rows that are quick: each runs at once, with a message for each row."""

from collections.abc import Callable, Iterable
from itertools import islice
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext

from cloudmart.api.problems import operator_message
from cloudmart.pages.base import ReadOnlyAdmin

MOST_AT_ONCE = 100
"""Rows of one command."""

Message = tuple[int, str]
"""Level and text."""


def run_each(
    run: Callable[[UUID], Message], order_ids: Iterable[UUID], admin: ReadOnlyAdmin, request: HttpRequest
) -> None:
    """Runs a command for one order after another, with a message for each. An error for one stops no other."""
    chosen = list(islice(order_ids, MOST_AT_ONCE + 1))
    if len(chosen) > MOST_AT_ONCE:
        text = gettext("Choose at most %(most)s at once.") % {"most": MOST_AT_ONCE}
        admin.message_user(request, text, messages.ERROR)
        return
    for order_id in chosen:
        try:
            level, text = run(order_id)
        except Exception as error:
            level, text = messages.ERROR, f"{order_id}: {operator_message(error)}"
        admin.message_user(request, text, level)
