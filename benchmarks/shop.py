"""A shop of many orders, made by copying a small one that was really run."""

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models
from django.utils import timezone

from cloudmart.database.options import unlimited_statement_time
from cloudmart.kernel.order import Address
from cloudmart.models import IdempotencyKey
from inventory.models import Book, InventoryRecord, InventoryView, Reservation, StockEvent
from inventory.projector import catch_up
from orders.models import Customer, Mail, Order, OrderItem, SagaStyle
from payments.models import Payment, Refund
from sagas.desk.cancelling import cancel_order
from sagas.desk.placing import place_order
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.management.commands.seed import add_books, add_customers
from sagas.models import Event, EventReceipt, OperatorCommand, SagaAction, SagaInstance, SagaStepLog
from shipping.models import Shipment

BOOK, CUSTOMER = "sample", "customer"
TOKENS = ("tok_ok",) * 7 + ("tok_timeout_1", "tok_insufficient_funds")
"""The payment tokens of the sample's orders. One more order is cancelled when completed, and one cannot be shipped."""
TABLES = (
    *(
        Book,
        InventoryRecord,
        InventoryView,
        StockEvent,
        Reservation,
        Order,
        OrderItem,
        Mail,
        Payment,
        Refund,
        Shipment,
    ),
    *(SagaInstance, SagaStepLog, SagaAction, Event, EventReceipt, IdempotencyKey),
)
BATCH = 1000
"""Copies of the whole sample, or users, that one statement creates."""


def create_tables() -> None:
    """Creates the tables in an empty database. Exits if it has tables."""
    if connection.introspection.table_names():
        raise SystemExit("This database has tables already. Give the benchmark an empty one.")
    call_command("migrate", verbosity=0)
    print(f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}")


def make_sample() -> int:
    """Creates a shop of one book and a few orders, in both styles and with every usual end. Returns their number."""
    add_books([(BOOK, "A sample", 1000, 100)])
    add_customers([(CUSTOMER, "A customer", "customer@example.com", "150-0001", "東京都")])
    for style in SagaStyle.values:
        for token in TOKENS:
            order(style, token)
        cancel_order(order(style).order_id, "A change of mind")
        order(style, postal_code="000-0000")
    catch_up()
    return Order.objects.count()


def order(style: str, token: str = "", postal_code: str = "150-0001") -> SagaInstance:
    return place_order(
        OrderRequest(
            customer=Customer.objects.get(pk=CUSTOMER),
            items=(RequestedLine(BOOK, 1),),
            payment_method="credit_card",
            payment_token=token,
            address=Address(postal_code),
            saga_style=style,
            placed_by=CUSTOMER,
        )
    )


def add_keys_and_actions() -> None:
    """Adds an idempotency key and an operator's command for each order of the sample."""
    for saga in SagaInstance.objects.all():
        SagaAction.objects.create(saga=saga, command=OperatorCommand.RETRY, actor="operator", outcome=saga.status)
        now = timezone.now()
        IdempotencyKey.objects.create(scope=saga.order_id.hex, fingerprint="f", created_at=now, expires_at=now)


def multiply(copies: int) -> None:
    """Copies every row of the sample `copies` times, each with new ids."""
    with unlimited_statement_time(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE copies (copy INTEGER PRIMARY KEY)")
        cursor.executemany("INSERT INTO copies VALUES (%s)", [(number,) for number in range(1, copies + 1)])
        for table in TABLES:
            name = table._meta.db_table
            cursor.execute(f"CREATE TABLE sample AS SELECT * FROM {name}")
            fields = [field for field in table._meta.local_concrete_fields if not is_auto_increment(field)]
            columns, values = ", ".join(field.column for field in fields), ", ".join(map(copied, fields))
            for first in range(1, copies + 1, BATCH):
                cursor.execute(
                    f"INSERT INTO {name} ({columns}) SELECT {values}"
                    f" FROM copies CROSS JOIN sample WHERE copy BETWEEN {first} AND {first + BATCH - 1}"
                )
            cursor.execute("DROP TABLE sample")
        cursor.execute("DROP TABLE copies")
        if connection.vendor == "mysql":
            cursor.execute(f"ANALYZE TABLE {', '.join(table._meta.db_table for table in TABLES)}")
        else:
            cursor.execute("ANALYZE")


def add_users(number: int) -> None:
    """Adds customers with a user each."""
    for first in range(0, number, BATCH):
        names = [f"made-up-{n:07}" for n in range(first, min(number, first + BATCH))]
        User.objects.bulk_create(User(username=name) for name in names)
        users = User.objects.filter(username__in=names)  # MySQL does not return their numbers
        Customer.objects.bulk_create(
            Customer(
                id=user.username, user=user, name=f"Customer {user.username}", email=f"{user.username}@example.com"
            )
            for user in users
        )


def is_auto_increment(field: models.Field) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)


def copied(field: models.Field) -> str:
    """Returns the SQL for a column of a copy. An id or another unique value is derived from the copy's number."""
    column, is_mysql = field.column, connection.vendor == "mysql"
    if isinstance(field.target_field if field.is_relation else field, models.UUIDField):
        parts = ["LPAD(HEX(copy), 8, '0')" if is_mysql else "PRINTF('%08x', copy)", f"SUBSTR({column}, 9)"]
    elif column == "book_id" or (field.model, column) == (Book, "id") or (field.unique and not field.is_relation):
        parts = ["copy", "'-'", column]
    else:
        parts = [column]
    return f"CONCAT({', '.join(parts)})" if is_mysql else " || ".join(parts)
