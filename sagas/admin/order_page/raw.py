"""The stored rows of an order as JSON, without secrets. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from sagas.admin.order_page.records import History

SECRETS = {"payment_token", "idempotency_scope"}
"""Columns, and members of a payload, that no page shows."""


def raw_json(history: History) -> str:
    """Returns the rows of every table, by its name."""
    records = history.records
    tables: dict[str, Iterable[Model | None]] = {
        "order": [records.order],
        "items": records.order.lines,
        "saga": [records.saga],
        "steps": history.steps,
        "events": history.events,
        "receipts": history.receipts,
        "commands": history.actions,
        "notes": history.notes,
        "payment": [records.payment],
        "refunds": history.refunds,
        "parcel": [records.parcel],
        "reservations": records.reservations,
        "mails": records.mails,
    }
    shown = {name: [columns_of(row) for row in rows if row] for name, rows in tables.items()}
    return json.dumps(shown, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)


def columns_of(row: Model) -> dict[str, Any]:
    """Returns the stored values of a row by column, without secrets and columns that were not read."""
    left_out = SECRETS | row.get_deferred_fields()
    names = (field.attname for field in row._meta.concrete_fields if field.attname not in left_out)
    return {name: _without_secrets(getattr(row, name)) for name in names}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: member for name, member in value.items() if name not in SECRETS}
    return value
