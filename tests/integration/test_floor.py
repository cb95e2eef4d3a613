"""The benchmark's floor writes its rows with bare SQL, so it must know every column."""

import pytest
from django.db import connection

from benchmarks.floor import CUSTOMER, BareOrder
from inventory.models import InventoryRecord
from orders.models import Order
from tests.factories import CustomerFactory


@pytest.mark.skipif(connection.vendor != "mysql", reason="the floor uses the MySQL driver")
def test_the_floor_writes_a_valid_order(transactional_db, shelve):
    CustomerFactory(id=CUSTOMER)
    shelve("book-123", 5)
    connection.ensure_connection()
    connection.connection.autocommit(False)
    BareOrder(connection.connection, "book-123").place()
    connection.close()
    assert Order.objects.get().status == "completed"
    assert InventoryRecord.objects.get().on_hand == 4
