"""The read models of the stock, which follow the ledger. Only the projector writes them."""

from django.db import models
from django.utils.translation import gettext

from inventory.stock import Stock


class InventoryView(models.Model):
    """The read model of a book's stock as of `version`; it may lag behind the ledger."""

    book = models.OneToOneField(
        "inventory.Book", primary_key=True, on_delete=models.CASCADE, related_name="view", db_constraint=False
    )
    on_hand = models.PositiveIntegerField(default=0)
    reserved = models.PositiveIntegerField(default=0)
    available = models.PositiveIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, help_text="Time of the last projected event")

    class Meta:
        db_table = "inventory_view"
        indexes = [models.Index(fields=["available", "book"], name="books_by_availability")]

    def __str__(self) -> str:
        return gettext("%(book)s as of %(version)s") % {"book": self.book_id, "version": self.version}

    @property
    def stock(self) -> Stock:
        return Stock(self.on_hand, self.reserved, self.version)


class StockMovement(models.Model):
    """The movements of a book in a day, up to the version of its InventoryView. Only `adjusted` may be negative."""

    day = models.DateField(help_text="In the time zone of the shop")
    book = models.ForeignKey(
        "inventory.Book", on_delete=models.CASCADE, related_name="movements", db_constraint=False, db_index=False
    )
    added = models.BigIntegerField(default=0)
    sold = models.BigIntegerField(default=0)
    returned = models.BigIntegerField(default=0)
    adjusted = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    released = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)

    class Meta:
        db_table = "stock_movements"
        constraints = [models.UniqueConstraint(fields=["day", "book"], name="one_row_per_day_and_book")]
        indexes = [models.Index(fields=["book", "day"], name="movements_of_book")]

    def __str__(self) -> str:
        return gettext("%(book)s on %(day)s") % {"book": self.book_id, "day": self.day}
