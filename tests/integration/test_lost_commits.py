"""A connection is lost at COMMIT, before or after the database executes it: nothing is done twice."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import connection

from inventory.models import InventoryRecord
from orders.models import Order, SagaStyle
from payments.gateways.port import gateway
from payments.models import Payment
from sagas.desk.engine import engine
from sagas.desk.mails import send_mails
from sagas.engine.recovery import due
from sagas.models import SagaInstance
from shipping.models import Shipment
from tests.bookkeeping import findings
from tests.cutting_proxy import CuttingProxy, connected_through
from tests.known_bugs import known_bug

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection to lose")


@pytest.fixture
def proxy():
    proxy = CuttingProxy(int(connection.settings_dict["PORT"]))
    yield proxy
    proxy.close()


def recover_everything():
    """Does what a worker does, once every lease has expired."""
    SagaInstance.objects.update(lease_until=None, wake_at=None)
    while sagas := due(10):
        for saga in sagas:
            engine.recover(saga)


def charges():
    return [key for method, key in gateway().diary if method == "charge"]


@known_bug("FoundationDB: commit_unknown_result")
@pytest.mark.parametrize("before", [True, False], ids=["request lost", "response lost"])
@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_is_placed_once_whichever_of_its_commits_is_lost(api, shelve, settings, proxy, style, before):
    settings.AUDIT_GRACE = timedelta(0)
    shelve("book-123", 100)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
    for cut in count(1):
        key = {"Idempotency-Key": f"key-{cut}"}
        proxy.arm(cut, before=before)
        with connected_through(proxy):
            first = api.post("/orders", body, headers=key)
        if not proxy.has_cut:
            break
        assert first.status_code == 503 and first["Retry-After"] and first.json()["order_id"], first.content
        recover_everything()
        repeat = api.post("/orders", body, headers=key)
        assert repeat.status_code == 201 and repeat.json()["status"] == "completed"
        assert Order.objects.count() == cut
    assert first.status_code == 201
    assert cut > 3, "an order has at least three commits"
    placed = Order.objects.filter(status="completed").count()
    assert placed == cut == len(set(charges())) == Payment.objects.count() == Shipment.objects.count()
    assert InventoryRecord.objects.get().on_hand == 100 - placed
    send_mails()
    assert findings() == {}
