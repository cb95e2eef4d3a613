"""The commands on chosen rows that are quick: each runs at once, with a message for each row."""

from collections.abc import Callable, Iterable
from itertools import islice
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext

from cloudmart.api.problems import operator_message
from cloudmart.kernel.order_numbers import shown
from cloudmart.pages.base import ReadOnlyAdmin
from orders.errors import OrderNotFound
from sagas.admin.order_command import LEVELS
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.parcels import MARKS
from sagas.operations.records import records_of
from sagas.operations.running import run
from shipping.carriers.reports import Progress

MOST_AT_ONCE = 100
"""Rows of one command."""

Message = tuple[int, str]
"""Level and text."""


COMMANDS = {Progress.SHIPPED: DeskCommand.SHIP, Progress.DELIVERED: DeskCommand.DELIVER}


def marking(progress: Progress, actor: str) -> Callable[[UUID], Message]:
    """Returns what marks the parcel of an order, or a parcel that belongs to no order of the shop."""

    def mark(order_id: UUID) -> Message:
        try:
            records = records_of(order_id)
        except OrderNotFound:
            MARKS[progress](order_id)
            done = gettext("%(order)s is marked as %(progress)s.")
            return messages.SUCCESS, done % {"order": shown(order_id), "progress": gettext(progress)}
        report = run(COMMANDS[progress], records, actor)
        return LEVELS[report.result], f"{shown(order_id)}: {report.text}"

    return mark


def run_each(
    act: Callable[[UUID], Message], order_ids: Iterable[UUID], admin: ReadOnlyAdmin, request: HttpRequest
) -> None:
    """Runs a command for one order after another, with a message for each. An error for one stops no other."""
    chosen = list(islice(order_ids, MOST_AT_ONCE + 1))
    if len(chosen) > MOST_AT_ONCE:
        text = gettext("Choose at most %(most)s at once.") % {"most": MOST_AT_ONCE}
        admin.message_user(request, text, messages.ERROR)
        return
    for order_id in chosen:
        try:
            level, text = act(order_id)
        except Exception as error:
            level, text = messages.ERROR, f"{shown(order_id)}: {operator_message(error)}"
        admin.message_user(request, text, level)
