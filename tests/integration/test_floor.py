"""The benchmark's floor writes by hand what the shop writes, so it must know every column."""

import pytest
from django.db import connection

from benchmarks.floor import CUSTOMER, BareOrder
from inventory.models import InventoryRecord
from orders.models import Order
from tests.factories import CustomerFactory


@pytest.mark.skipif(connection.vendor != "mysql", reason="the floor speaks MySQL")
def test_a_bare_order_is_an_order(transactional_db, shelve):
    CustomerFactory(id=CUSTOMER)
    shelve("book-123", 5)
    connection.ensure_connection()
    connection.connection.autocommit(False)
    BareOrder(connection.connection, "book-123").place()
    connection.close()
    assert Order.objects.get().status == "completed"
    assert InventoryRecord.objects.get().on_hand == 4
