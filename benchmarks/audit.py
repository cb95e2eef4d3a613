"""Measures the time and memory of `manage.py audit` over many orders.

Run python -m benchmarks.audit with the DATABASE_URL of an empty database.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
os.environ["PROVIDER_BACKOFF"], os.environ["ALLOW_MAGIC_TOKENS"] = "0", "true"
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, models  # noqa: E402

from cloudmart.database.options import unlimited_statement_time  # noqa: E402
from cloudmart.kernel.order import Address  # noqa: E402
from inventory.models import Book, InventoryRecord, InventoryView, Reservation, StockEvent  # noqa: E402
from inventory.projector import catch_up  # noqa: E402
from orders.models import Customer, Order, OrderItem, SagaStyle  # noqa: E402
from payments.models import Payment, Refund  # noqa: E402
from sagas.desk.cancelling import cancel_order  # noqa: E402
from sagas.desk.placing import place_order  # noqa: E402
from sagas.desk.requests import OrderRequest, RequestedLine  # noqa: E402
from sagas.management.commands.seed import add_books, add_customers  # noqa: E402
from sagas.models import Event, EventReceipt, SagaInstance, SagaStepLog  # noqa: E402
from shipping.models import Shipment  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
BOOK, CUSTOMER = "sample", "customer"
TOKENS = ("tok_ok",) * 7 + ("tok_timeout_1", "tok_insufficient_funds")
"""The payment tokens of the sample's orders. One more order is cancelled when completed, and one cannot be shipped."""
TABLES = (
    *(Book, InventoryRecord, InventoryView, StockEvent, Reservation, Order, OrderItem, Payment, Refund, Shipment),
    *(SagaInstance, SagaStepLog, Event, EventReceipt),
)
BATCH = 1000
"""Copies of the whole sample that one statement creates."""


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


def multiply(copies: int) -> None:
    """Copies every row of the sample `copies` times, each with new ids."""
    with unlimited_statement_time(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE copies (number INTEGER PRIMARY KEY)")
        cursor.executemany("INSERT INTO copies VALUES (%s)", [(number,) for number in range(1, copies + 1)])
        for table in TABLES:
            name = table._meta.db_table
            cursor.execute(f"CREATE TABLE sample AS SELECT * FROM {name}")
            fields = [field for field in table._meta.local_concrete_fields if not is_auto_increment(field)]
            columns, values = ", ".join(field.column for field in fields), ", ".join(map(copied, fields))
            for first in range(1, copies + 1, BATCH):
                cursor.execute(
                    f"INSERT INTO {name} ({columns}) SELECT {values}"
                    f" FROM copies CROSS JOIN sample WHERE number BETWEEN {first} AND {first + BATCH - 1}"
                )
            cursor.execute("DROP TABLE sample")
        cursor.execute("DROP TABLE copies")
        if connection.vendor == "mysql":
            cursor.execute(f"ANALYZE TABLE {', '.join(table._meta.db_table for table in TABLES)}")
        else:
            cursor.execute("ANALYZE")


def is_auto_increment(field: models.Field) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)


def copied(field: models.Field) -> str:
    """Returns the SQL for a column of a copy. An id or another unique value is derived from the copy's number."""
    column, is_mysql = field.column, connection.vendor == "mysql"
    if isinstance(field.target_field if field.is_relation else field, models.UUIDField):
        parts = ["LPAD(HEX(number), 8, '0')" if is_mysql else "PRINTF('%08x', number)", f"SUBSTR({column}, 9)"]
    elif column == "book_id" or (field.model, column) == (Book, "id") or (field.unique and not field.is_relation):
        parts = ["number", "'-'", column]
    else:
        parts = [column]
    return f"CONCAT({', '.join(parts)})" if is_mysql else " || ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="minimum number of orders (default: 1,000,000)")
    options = parser.parse_args()
    if connection.introspection.table_names():
        raise SystemExit("This database has tables already. Give the benchmark an empty one.")
    call_command("migrate", verbosity=0)
    print(f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}")
    multiply(-(-options.orders // make_sample()))
    for table in Order, StockEvent, SagaStepLog, Event:
        print(f"{table.objects.count():,} {table._meta.verbose_name_plural}")
    started = time.perf_counter()
    audit = subprocess.run([sys.executable, "manage.py", "audit"], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(audit.stdout, end="")
    print(f"{seconds:.1f} s, {memory:.0f} MB")
    raise SystemExit(audit.returncode)


if __name__ == "__main__":
    main()
