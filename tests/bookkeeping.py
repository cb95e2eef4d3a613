"""Our books held against the invariants of the audit, and against the sandbox's ledger, row by row."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from cloudmart.database.invariants import Finding, Invariant
from cloudmart.kernel.text import LONGEST_REFERENCE, storable
from cloudmart.sandbox.ledger import Entry, entries_in
from payments.models import TAKEN, Payment, Refund, RefundStatus
from payments.models import Status as PaymentStatus
from sagas.operations.audit.audit import INVARIANTS, RECONCILIATIONS
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus

LIMIT = 5
"""How many offenders of an invariant are named."""
SENT = {ParcelStatus.ARRANGED, ParcelStatus.SHIPPED, ParcelStatus.DELIVERED, ParcelStatus.RETURNED}


class Row(NamedTuple):
    """One thing that a provider has done. Its reference is not compared where our books do not keep it."""

    kind: str
    key: str
    order_id: str
    amount: int


def findings() -> dict[str, tuple[str, ...]]:
    """The broken invariants, with their offenders."""
    return {finding.name: finding.offenders for finding in _findings() if not finding.holds}


def _findings() -> Iterator[Finding]:
    """Yields what the audit would find. It checks only what may be broken: most tests break nothing."""
    grace = settings.AUDIT_GRACE, settings.STALE_INTENT
    yield from (each.check(LIMIT) for each in INVARIANTS if _has_offenders(*_compiled(each, grace)))
    yield from (each.check(LIMIT) for each in RECONCILIATIONS if each.is_possible)


@cache
def _compiled(invariant: Invariant, grace: tuple[timedelta, ...]) -> tuple[str, tuple[Any, ...]]:
    """Returns the query for one offender. The ORM takes much longer to make all of them than a test to run them.

    Nothing but `grace` changes them.
    """
    offenders = invariant.breaking(invariant.rows).order_by().values_list(*invariant.named_by)
    return offenders[:1].query.sql_with_params()


def _has_offenders(sql: str, values: tuple[Any, ...]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone() is not None


def differences(ledger: Path) -> dict[str, set[tuple[Row, str]]]:
    """The rows, with the providers' references, that only our books have, and those that only the ledger has.

    A charge or parcel that we have called off may never have been made: then neither it nor its reversal is there.
    """
    there = {Row(e.kind, e.key, e.order_id, e.amount): _kept(e) for e in entries_in(ledger)}
    ours = {row: reference or there.get(row, "") for row, reference in _ours(there)}
    return {"only ours": ours.items() - there.items(), "only theirs": there.items() - ours.items()}


def _kept(entry: Entry) -> str:
    """The provider's reference as our books keep it."""
    return storable(entry.reference, LONGEST_REFERENCE) or entry.key


def _ours(there: dict[Row, str]) -> Iterator[tuple[Row, str]]:
    for payment in Payment.objects.all():
        order_id, key = str(payment.order_id), payment.idempotency_key
        charge = Row("charge", key, order_id, payment.amount)
        if payment.status in TAKEN:
            yield charge, payment.transaction_id
        elif payment.status == PaymentStatus.CANCELLED and charge in there:
            yield charge, ""
            yield Row("void", f"{key}:cancel", order_id, -payment.amount), ""
    for refund in Refund.objects.filter(status=RefundStatus.REFUNDED).select_related("payment"):
        order_id = str(refund.payment.order_id)
        yield Row("refund", refund.idempotency_key, order_id, -refund.amount), refund.transaction_id
    for shipment in Shipment.objects.all():
        order_id, key = str(shipment.order_id), shipment.idempotency_key
        parcel = Row("parcel", key, order_id, 1)
        if shipment.status in SENT:
            yield parcel, shipment.tracking_number
        elif shipment.status == ParcelStatus.CANCELLED and parcel in there:
            yield parcel, shipment.tracking_number
            yield Row("call_off", f"{key}:cancel", order_id, -1), ""
