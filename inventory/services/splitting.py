"""Books of which so many orders buy at once that they would wait for one row: split into sub-shelves."""

from inventory.locks import lock_stock
from inventory.models import InventoryRecord, Reservation, Status, SubShelf
from inventory.stock import shared_out
from inventory.sub_shelves import home


def split_book(book_id: str, shards: int) -> None:
    """Shares the stock of a book out to this number of sub-shelves; 1: the book has none. Raises UnknownBook.

    Orders may go on. One that has chosen a sub-shelf before does not find it, and locks the whole stock.
    """
    lock_stock([book_id])
    SubShelf.objects.filter(shelf=book_id).delete()
    record = InventoryRecord.objects.get(pk=book_id)
    record.shards = shards
    record.save(update_fields=["shards"])
    if shards > 1:
        SubShelf.objects.bulk_create(_sub_shelves(record))


def _sub_shelves(record: InventoryRecord) -> list[SubShelf]:
    """Returns the sub-shelves of a book, each with the copies that its orders have reserved."""
    reserved = [0] * record.shards
    active = Reservation.objects.filter(shelf=record, status=Status.ACTIVE)
    for order_id, copies in active.values_list("order_id", "quantity"):
        reserved[home(order_id, record.shards)] += copies
    return [
        SubShelf(
            shelf=record,
            number=number,
            on_hand=share.on_hand,
            reserved=share.reserved,
            changed_at=record.changed_at,
        )
        for number, share in enumerate(shared_out(record.stock, reserved))
    ]
