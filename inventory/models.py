"""Books, their stock, the reservations for orders, and the ledger of all stock changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NoReturn, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext

from cloudmart.database.clock import NOW, DatabaseNow
from cloudmart.database.fields import DOT_SEGMENTS, CharField, CodeField, IsNot, is_code
from cloudmart.database.prepared import Select
from cloudmart.database.states import HasMoves
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.money import HIGHEST_PRICE
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_REASON
from inventory.errors import UnknownBook
from inventory.read_models import InventoryView as InventoryView
from inventory.read_models import StockMovement as StockMovement
from inventory.stock import EventType, Stock, StockChange
from inventory.sub_shelves import PendingEvent as PendingEvent
from inventory.sub_shelves import SubShelf as SubShelf

COMMANDS = ("reserve", "release", "extend", "reports")
"""Paths below /inventory, which are therefore no book codes."""


class Book(models.Model):
    id = CodeField("code", primary_key=True, max_length=64, validators=[is_code, IsNot(*DOT_SEGMENTS, *COMMANDS)])
    title = CharField(max_length=300)
    price = models.PositiveBigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(HIGHEST_PRICE)],
        help_text="Minor units of the shop's currency",
    )
    archived = models.BooleanField(default=False, help_text="No longer sold; orders and histories keep it")

    class Meta:
        db_table = "books"
        indexes = [
            models.Index(fields=["title"], name="books_by_title"),
            models.Index(fields=["archived", "id"], name="books_archived"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=1), name="book_has_price"),
            models.CheckConstraint(condition=Q(price__lte=HIGHEST_PRICE), name="book_price_has_a_limit"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.title}"

    @property
    def low_stock_threshold(self) -> int | None:
        """That of its stock; None also without stock."""
        record: InventoryRecord | None = getattr(self, "inventory", None)
        return record.low_stock_threshold if record else None


class InventoryRecord(models.Model):
    """The snapshot of a book's stock after its last event. It is locked before any change of that stock."""

    read_at: datetime
    """Not stored: the database's time of the SELECT; see READ_AT."""

    book = models.OneToOneField(Book, primary_key=True, on_delete=models.PROTECT, related_name="inventory")
    on_hand = models.PositiveIntegerField(default=0)
    reserved = models.PositiveIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, help_text="Time of the last event")
    shards = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Sub-shelves; 1: the book is not split"
    )
    low_stock_threshold = models.PositiveIntegerField(
        null=True, help_text="Available copies at which the stock is low; null: it never is"
    )

    class Meta:
        db_table = "inventory"
        permissions = [
            ("reserve_stock", "Can reserve stock for an order"),
            ("release_stock", "Can release the stock that an order holds"),
            ("extend_holds", "Can extend the holds of an order"),
            ("add_stock", "Can add stock"),
            ("adjust_stock", "Can adjust stock"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="on_hand_not_negative"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="reserved_not_negative"),
            models.CheckConstraint(condition=Q(reserved__lte=F("on_hand")), name="reserved_is_on_hand"),
        ]
        indexes = [models.Index(fields=["low_stock_threshold"], name="books_by_threshold")]

    def __str__(self) -> str:
        return gettext("%(book)s: %(on_hand)s on hand, %(reserved)s reserved") % {
            "book": self.book_id,
            "on_hand": self.on_hand,
            "reserved": self.reserved,
        }

    @property
    def stock(self) -> Stock:
        return Stock(self.on_hand, self.reserved, self.version)

    @stock.setter
    def stock(self, stock: Stock) -> None:
        self.on_hand, self.reserved, self.version = stock.on_hand, stock.reserved, stock.version

    @property
    def is_low(self) -> bool:
        return self.low_stock_threshold is not None and self.stock.is_low(self.low_stock_threshold)

    def event(self, change: StockChange, **columns: Any) -> "StockEvent":
        """Returns the event of this change, which has led to the present stock."""
        return StockEvent(
            shelf_id=self.pk,
            version=self.version,
            type=change.type,
            on_hand_delta=change.on_hand_delta,
            reserved_delta=change.reserved_delta,
            on_hand_after=self.on_hand,
            reserved_after=self.reserved,
            **columns,
        )


def by_code(select: Select[InventoryRecord], book_ids: Iterable[str]) -> dict[str, InventoryRecord]:
    """Returns the rows that `select` finds of these books. Raises UnknownBook with every unknown code."""
    wanted = set(book_ids)
    found = {row.pk: row for row in select(book_ids=wanted)}
    if missing := sorted(wanted - found.keys()):
        raise UnknownBook(book_ids=missing)
    return found


class Status(TranslatedChoices):
    ACTIVE = "active"  #: Reserved for an order until `expires_at`.
    CONFIRMED = "confirmed"  #: Sold, and no longer in stock.
    RELEASED = "released"  #: Returned to stock by its order, before or after the sale.
    EXPIRED = "expired"  #: Returned to stock after `expires_at`.


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def live(self, now: datetime | DatabaseNow = NOW) -> Self:
        """Reservations that can be confirmed."""
        return self.filter(status=Status.ACTIVE, expires_at__gt=now)

    def past_expiry(self, now: datetime | DatabaseNow = NOW) -> Self:
        """Reservations past their expiry whose copies are not yet returned to stock."""
        return self.filter(status=Status.ACTIVE, expires_at__lte=now)


class Reservation(HasMoves):
    """Copies of one book that are reserved for one order."""

    MOVES = {
        Status.ACTIVE: {Status.ACTIVE, Status.CONFIRMED, Status.RELEASED, Status.EXPIRED},
        Status.CONFIRMED: {Status.RELEASED},
        Status.RELEASED: {Status.ACTIVE},
        Status.EXPIRED: {Status.ACTIVE},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField()
    shelf = models.ForeignKey(
        InventoryRecord,
        on_delete=models.PROTECT,
        related_name="reservations",
        db_column="book_id",
        db_constraint=False,  # the INSERT locks no row of `inventory`, which a sub-shelf's buyers share
        db_index=False,
    )
    quantity = models.PositiveIntegerField()
    status = CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    held_since = models.DateTimeField(default=DatabaseNow, help_text="Start of the uninterrupted reservation")
    held_for = CodeField(max_length=64, null=True, blank=True, help_text="The customer whose draft reserved it last")
    expires_at = models.DateTimeField()

    objects = ReservationQuerySet.as_manager()

    class Meta:
        db_table = "reservations"
        constraints = [
            models.UniqueConstraint(fields=["order_id", "shelf"], name="one_hold_per_book"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="hold_has_copies"),
        ]
        indexes = [
            models.Index(fields=["status", "expires_at"], name="holds_by_expiry"),
            models.Index(fields=["shelf", "status", "expires_at"], name="holds_of_book"),
        ]

    def __str__(self) -> str:
        return gettext("%(quantity)s × %(book)s for %(order)s") % {
            "quantity": self.quantity,
            "book": self.book_id,
            "order": shown(self.order_id),
        }

    @property
    def book_id(self) -> str:
        return self.shelf_id

    def is_live(self, now: datetime) -> bool:
        """Returns True if it can be confirmed."""
        return self.status == Status.ACTIVE and self.expires_at > now

    def is_past_expiry(self, now: datetime) -> bool:
        """Returns True if it is past its expiry and its copies are not yet returned to stock."""
        return self.status == Status.ACTIVE and self.expires_at <= now


class LedgerIsAppendOnly(Exception):
    """Stock events are never updated or deleted."""


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise LedgerIsAppendOnly


class LedgerQuerySet(models.QuerySet["StockEvent"]):
    update = bulk_update = delete = refuse

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("update_conflicts"):
            raise LedgerIsAppendOnly
        return super().bulk_create(objs, *args, **kwargs)


class StockEvent(models.Model):
    """One change of one book's stock. Database triggers too prevent updates and deletes."""

    shelf = models.ForeignKey(
        InventoryRecord, on_delete=models.PROTECT, related_name="events", db_column="book_id", db_index=False
    )
    version = models.PositiveBigIntegerField()
    type = CharField(max_length=32, choices=[(kind.value, kind.value) for kind in EventType])
    on_hand_delta = models.IntegerField()
    reserved_delta = models.IntegerField()
    on_hand_after = models.PositiveIntegerField()
    reserved_after = models.PositiveIntegerField()
    reservation_id = models.UUIDField(null=True)
    order_id = models.UUIDField(null=True, db_index=True)
    reference = CodeField(max_length=64, null=True, help_text="The client's name for the change, which is made once")
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    actor = CharField(max_length=150, blank=True)
    happened_at = models.DateTimeField(default=DatabaseNow, help_text="Later than the book's previous event")

    objects = LedgerQuerySet.as_manager()

    class Meta:
        db_table = "stock_events"
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["shelf", "version"], name="one_event_per_version"),
            models.UniqueConstraint(fields=["shelf", "reference"], name="one_event_per_reference"),
        ]
        indexes = [models.Index(fields=["shelf", "happened_at"], name="stock_events_by_time")]

    def __str__(self) -> str:
        return f"{self.shelf_id} #{self.version} {self.type}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise LedgerIsAppendOnly
        super().save(*args, **kwargs)

    delete = refuse

    @property
    def book_id(self) -> str:
        return self.shelf_id

    @property
    def change(self) -> StockChange:
        return StockChange(EventType(self.type), self.on_hand_delta, self.reserved_delta)

    @property
    def stock_after(self) -> Stock:
        return Stock(self.on_hand_after, self.reserved_after, self.version)
