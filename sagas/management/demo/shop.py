"""The shop of the demo: books and a customer for each style, and what is left of them."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError
from django.db.models import Sum

from cloudmart.database.transactions import durable
from cloudmart.kernel.money import formatted
from inventory.models import InventoryRecord
from inventory.services import adjust_stock
from orders.models import Customer, Language, SagaStyle
from payments.models import Payment
from payments.models import Status as PaymentStatus
from sagas.management.commands.seed import add_books
from shipping.models import Shipment
from shipping.models import Status as ParcelStatus

CUSTOMERS = {
    SagaStyle.ORCHESTRATION: ("demo-english", "Emma Sample", Language.ENGLISH),
    SagaStyle.CHOREOGRAPHY: ("demo-japanese", "見本花子", Language.JAPANESE),
}
SHELVES = {"novel": ("A novel", 3500, 5), "atlas": ("An atlas", 8000, 0), "primer": ("A primer", 2800, 10)}
IN_MEMORY = "django.core.mail.backends.locmem.EmailBackend"


def check_shop() -> None:
    """Raises CommandError unless this is a shop of the demo's own, without a mail server."""
    if not settings.ALLOW_MAGIC_TOKENS or settings.EMAIL_BACKEND != IN_MEMORY:
        raise CommandError("Run `make demo`, which sets ALLOW_MAGIC_TOKENS=true and EMAIL_URL=memorymail://.")
    if Customer.objects.exclude(pk__in=[code for code, _, _ in CUSTOMERS.values()]).exists():
        raise CommandError("There is a shop in this database. Run `make demo`, which plays in one of its own.")


def book_id_of(style: SagaStyle, book: str) -> str:
    return f"{style}-{book}"


def customer_of(style: SagaStyle) -> Customer:
    return Customer.objects.get(pk=CUSTOMERS[style][0])


def refill(style: SagaStyle) -> None:
    """Restocks the books of this style, and adds its customer."""
    code, name, language = CUSTOMERS[style]
    address = {"postal_code": "150-0001", "address": "東京都渋谷区神宮前1-2-3"}
    columns = {"name": name, "email": f"{code}@example.com", "language": language, **address}
    durable(Customer.objects.update_or_create)(pk=code, defaults=columns)
    add_books((book_id_of(style, name), *book) for name, book in SHELVES.items())
    for name, (_, _, copies) in SHELVES.items():
        book_id = book_id_of(style, name)
        if missing := copies - InventoryRecord.objects.get(pk=book_id).on_hand:
            durable(adjust_stock)(book_id, missing, reason="demo", actor="demo")


def what_is_left(style: SagaStyle, order_ids: Iterable[UUID]) -> str:
    """Returns stock, money and parcels of these orders."""
    orders, books = list(order_ids), [book_id_of(style, name) for name in SHELVES]
    shelves = [
        f"{record.pk}: {record.on_hand} on the shelf, {record.reserved} reserved"
        for record in InventoryRecord.objects.filter(pk__in=books).order_by("pk")
    ]
    kept = Payment.objects.filter(order_id__in=orders, status=PaymentStatus.CAPTURED).aggregate(sum=Sum("amount"))
    parcels = Shipment.objects.filter(order_id__in=orders, status=ParcelStatus.ARRANGED).count()
    return "\n".join([*shelves, f"money kept: {formatted(kept['sum'] or 0)}", f"parcels arranged: {parcels}"])
