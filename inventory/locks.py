"""The only place that locks stock: in primary-key order, before anything that depends on it is read."""

from collections.abc import Iterable

from cloudmart.database.clock import READ_AT
from inventory.errors import UnknownBook
from inventory.models import InventoryRecord


def lock_stock(book_ids: Iterable[str]) -> dict[str, InventoryRecord]:
    """The locked rows by book, with the time in `read_at`. Raises UnknownBook with every code that has none."""
    wanted = set(book_ids)
    rows = InventoryRecord.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    locked = {row.pk: row for row in rows.annotate(**READ_AT)}
    if missing := sorted(wanted - locked.keys()):
        raise UnknownBook(book_ids=missing)
    return locked
