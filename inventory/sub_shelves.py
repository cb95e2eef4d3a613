"""The sub-shelves of a split book, and the events that its orders leave for the ledger."""

from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from cloudmart.database.fields import CharField
from cloudmart.kernel.text import LONGEST_REASON
from inventory.stock import EventType, Stock, StockChange


class SubShelf(models.Model):
    """A share of a split book's copies. An order locks one sub-shelf in place of the book's row in `inventory`."""

    read_at: datetime
    """Not stored: the database's time of the SELECT; see READ_AT."""

    shelf = models.ForeignKey(
        "inventory.InventoryRecord",
        on_delete=models.PROTECT,
        related_name="sub_shelves",
        db_column="book_id",
        db_index=False,
    )
    number = models.PositiveSmallIntegerField()
    on_hand = models.PositiveIntegerField(default=0)
    reserved = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, help_text="Time of the last event")

    class Meta:
        db_table = "sub_shelves"
        verbose_name, verbose_name_plural = "sub-shelf", "sub-shelves"
        constraints = [
            models.UniqueConstraint(fields=["shelf", "number"], name="one_sub_shelf_per_number"),
            models.CheckConstraint(condition=Q(reserved__lte=F("on_hand")), name="reserved_is_on_sub_shelf"),
        ]

    def __str__(self) -> str:
        return f"{self.shelf_id} #{self.number}"

    @property
    def book_id(self) -> str:
        return self.shelf_id

    @property
    def stock(self) -> Stock:
        return Stock(self.on_hand, self.reserved)

    @stock.setter
    def stock(self, stock: Stock) -> None:
        self.on_hand, self.reserved = stock.on_hand, stock.reserved

    def event(self, change: StockChange, **columns: object) -> "PendingEvent":
        """Returns the event of this change, for `move_to_ledger`."""
        return PendingEvent(
            shelf_id=self.shelf_id,
            type=change.type,
            on_hand_delta=change.on_hand_delta,
            reserved_delta=change.reserved_delta,
            **columns,
        )


class PendingEvent(models.Model):
    """An event of a sub-shelf that is not yet in the ledger, which numbers the events of the whole book.

    The foreign key has no constraint in the database: the INSERT locks no row of `inventory`.
    """

    shelf = models.ForeignKey(
        "inventory.InventoryRecord",
        on_delete=models.PROTECT,
        related_name="pending_events",
        db_column="book_id",
        db_constraint=False,
        db_index=False,
    )
    type = CharField(max_length=32, choices=[(kind.value, kind.value) for kind in EventType])
    on_hand_delta = models.IntegerField()
    reserved_delta = models.IntegerField()
    reservation_id = models.UUIDField()
    order_id = models.UUIDField(db_index=True)
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    actor = CharField(max_length=150, blank=True)
    happened_at = models.DateTimeField(help_text="Later than the sub-shelf's previous event")

    class Meta:
        db_table = "pending_stock_events"
        indexes = [models.Index(fields=["shelf", "happened_at"], name="pending_events_by_time")]

    def __str__(self) -> str:
        return f"{self.shelf_id} {self.type}"

    @property
    def book_id(self) -> str:
        return self.shelf_id

    @property
    def change(self) -> StockChange:
        return StockChange(EventType(self.type), self.on_hand_delta, self.reserved_delta)


def home(order_id: UUID, sub_shelves: int) -> int:
    """Returns the number of the sub-shelf that an order locks. The last digits of its id are random."""
    return order_id.int % sub_shelves
