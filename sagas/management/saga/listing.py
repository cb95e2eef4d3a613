"""`saga list`."""

import argparse
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rich.table import Table
from rich.text import Text

from cloudmart.kernel.order_numbers import shown as shown_number
from sagas.models import SagaInstance
from sagas.operations.timeline.durations import shown

AGO = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

COLUMNS = (
    "current_step",
    "attempts",
    "wake_at",
    "deadline_at",
    "attention",
    "abandoned_at",
    "created_at",
    "finished_at",
)


def moment(text: str) -> datetime:
    """Returns the moment that an option names: so long ago (`90s`, `30m`, `2h`, `1d`), or a date, or a time."""
    try:
        if ago := AGO.fullmatch(text):
            return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        named = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"not a time, nor such as 30m: {text}") from None
    return named if timezone.is_aware(named) else timezone.make_aware(named)


def as_json(saga: SagaInstance) -> dict[str, Any]:
    return {
        "order_id": saga.order_id,
        "number": shown_number(saga.order_id),
        "style": saga.saga_type,
        "status": saga.status,
        "failure": (saga.failure or {}).get("code"),
        **{name: getattr(saga, name) for name in COLUMNS},
    }


def table_of(sagas: Iterable[SagaInstance]) -> Table:
    titles = (_("Order"), _("Style"), _("State"), _("Step"), _("Failed runs"), _("Age"), _("Why"))
    table = Table(*titles, box=None, pad_edge=False)
    for saga in sagas:
        age = shown((timezone.now() - saga.created_at).total_seconds() * 1000)
        cells = [shown_number(saga.order_id), saga.saga_type, saga.status, saga.current_step, str(saga.attempts), age]
        table.add_row(*map(Text, [*cells, why(saga)]))
    return table


def why(saga: SagaInstance) -> str:
    """Returns why an operator must look at the saga, has abandoned it, or why it failed; "" if nothing is wrong."""
    if saga.abandoned_at and not saga.is_finished:
        return _("Abandoned: %(reason)s") % {"reason": saga.attention}
    return saga.attention or str((saga.failure or {}).get("detail", ""))
