"""Fill an empty shop: its books, customers and users."""

import secrets
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from rich.progress import track

from cloudmart.database.clock import database_now
from cloudmart.database.transactions import durable
from inventory.models import Book, InventoryRecord, StockEvent
from inventory.stock import Stock
from orders.models import Customer

BOOKS = (
    ("book-123", "クラウド設計パターン集", 3500, 5),
    ("book-456", "限定版アートブック", 8000, 0),
    ("book-789", "プログラミング入門", 2800, 10),
    ("product_001", "ノートPC", 80000, 10),
)
THRESHOLDS = {"book-123": 2, "book-789": 3}
"""The available copies at which the stock of a book is low."""

CUSTOMERS = (
    ("customer-001", "田中太郎", "tanaka@example.com", "150-0001", "東京都渋谷区神宮前1-2-3", "credit_card"),
    ("customer-002", "佐藤花子", "sato@example.com", "530-0001", "大阪府大阪市北区梅田4-5-6", "e_money"),
)
USERS = {"operator": None, "tanaka": "customer-001", "sato": "customer-002"}
BATCH = 1000


class Command(BaseCommand):
    help = "Fill the shop with its books, customers and users. What is there already is left as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo-users", action="store_true", help="create the demo users even without DEBUG")
        parser.add_argument("--books", type=int, default=0, help="so many made-up books besides")
        parser.add_argument("--customers", type=int, default=0, help="so many made-up customers besides")
        parser.add_argument("--copies", type=int, default=1000, help="of each made-up book (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        add_books(BOOKS)
        add_customers(CUSTOMERS)
        copies = options["copies"]
        for batch in self.batches("Books", options["books"]):
            add_books((f"made-up-{n:07}", f"Made-up book {n}", 500 + n % 50 * 100, copies) for n in batch)
        for batch in self.batches("Customers", options["customers"]):
            add_customers(
                (f"made-up-{n:07}", f"Customer {n}", f"customer{n}@example.com", "100-0001", "東京都千代田区")
                for n in batch
            )
        if settings.DEBUG or options["demo_users"]:
            self.add_users()

    def batches(self, what: str, count: int) -> Iterable[range]:
        starts = range(1, count + 1, BATCH)
        for start in track(starts, description=what, disable=not count):
            yield range(start, min(start + BATCH, count + 1))

    def add_users(self) -> None:
        for username, customer_id in USERS.items():
            if password := add_user(username, customer_id):
                self.stdout.write(f"user {username}, password {password} (shown only now)")


@durable
def add_books(books: Iterable[tuple[str, str, int, int]]) -> None:
    """Adds those of (code, title, price in minor units, copies) that are not there yet, with their THRESHOLDS."""
    wanted = {code: (title, price, copies) for code, title, price, copies in books}
    known, now = set(Book.objects.filter(pk__in=wanted).values_list("pk", flat=True)), database_now()
    new = {code: book for code, book in wanted.items() if code not in known}
    Book.objects.bulk_create(Book(id=code, title=title, price=price) for code, (title, price, _) in new.items())
    first = {code: Stock().add(copies) for code, (_, _, copies) in new.items() if copies}
    InventoryRecord.objects.bulk_create(
        InventoryRecord(
            book_id=code,
            on_hand=copies,
            version=1 if copies else 0,
            changed_at=now if copies else None,
            low_stock_threshold=THRESHOLDS.get(code),
        )
        for code, (_, _, copies) in new.items()
    )
    StockEvent.objects.bulk_create(
        StockEvent(
            shelf_id=code,
            version=1,
            type=change.type,
            on_hand_delta=change.on_hand_delta,
            reserved_delta=0,
            on_hand_after=change.on_hand_delta,
            reserved_after=0,
            happened_at=now,
            reason="first stock",
            actor="seed",
        )
        for code, change in first.items()
    )


@durable
def add_customers(customers: Iterable[tuple[str, ...]]) -> None:
    """Those of (code, name, email, postal code, address, payment method) that are not there yet.

    The payment method may be left out.
    """
    columns = ("id", "name", "email", "postal_code", "address", "payment_method")
    wanted = {code: Customer(**dict(zip(columns, (code, *more), strict=False))) for code, *more in customers}
    known = set(Customer.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    Customer.objects.bulk_create(customer for code, customer in wanted.items() if code not in known)


@durable
def add_user(username: str, customer_id: str | None) -> str | None:
    """The new user's password; None when there is such a user already. No customer: an operator."""
    users = get_user_model().objects
    if users.filter(username=username).exists():
        return None
    password = secrets.token_urlsafe(12)
    if customer_id is None:
        users.create_superuser(username, password=password)
    else:
        user = users.create_user(username, password=password)
        Customer.objects.filter(pk=customer_id).update(user=user)
    return password
