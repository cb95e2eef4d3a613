"""The sandbox's carrier over HTTP: it is asked about parcels, and reports them to the shop by webhooks."""

import socket

import pytest
from django.core.management import CommandError, call_command
from django.utils.dateparse import parse_datetime
from pytest_django.live_server_helper import LiveServer

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.outcomes import OutcomeUnknown
from orders.models import SagaStyle
from shipping.carriers.port import carrier
from shipping.models import Shipment
from tests.acceptance.conftest import money_kept
from tests.bookkeeping import findings
from tests.carrier import SECRET, key_of
from tests.conftest import HTTP_CARRIER, signed_in
from tests.processes import wait_until
from tests.sandbox import run_sandbox

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 2, "payment_method": "credit_card"}


def run_worker():
    Shipment.objects.exclude(next_poll_at=None).update(next_poll_at=DatabaseNow())
    call_command("run_worker", once=True)


@pytest.mark.parametrize("style", SagaStyle)
def test_a_worker_asks_the_sandbox_about_a_parcel(outside, api, operator, shelve, style):
    shelve("book-123", 5)
    order_id = api.post("/orders", {**ORDER, "saga": style}).json()["order_id"]
    for status in ("arranged", "shipped", "delivered"):
        if status != "arranged":
            outside.move(key_of(order_id), status)
        run_worker()
        parcel = api.get(f"/shipping/{order_id}").json()
        assert parcel["status"] == status
    times = [parse_datetime(parcel[name]) for name in ("created_at", "shipped_at", "delivered_at")]
    assert times == sorted(times)
    assert signed_in(operator).post(f"/orders/{order_id}/return").json()["status"] == "returned"


def test_a_sandbox_that_does_not_respond_is_asked_again(outside, api, shelve):
    shelve("book-123", 5)
    order_id = api.post("/orders", ORDER).json()["order_id"]
    outside.move(order_id, "shipped")
    outside.turn("carrier", error_after=1)
    with pytest.raises(OutcomeUnknown):
        carrier().track(key_of(order_id))
    outside.turn("carrier", drop_before=1)
    run_worker()
    assert api.get(f"/shipping/{order_id}").json()["status"] == "arranged"
    run_worker()
    assert api.get(f"/shipping/{order_id}").json()["status"] == "shipped"


def test_the_sandbox_does_not_know_every_parcel(outside):
    assert carrier().track("unheard-of") is None


def test_a_parcel_that_the_sandbox_has_collected_is_not_cancelled(outside, api, operator, shelve):
    shelve("book-123", 5)
    order_id = api.post("/orders", ORDER).json()["order_id"]
    outside.move(key_of(order_id), "shipped")
    assert api.post(f"/orders/{order_id}/cancel").status_code == 202
    outside.move(key_of(order_id), "delivered")
    run_worker()
    assert signed_in(operator).post(f"/orders/{order_id}/return").json()["status"] == "cancelled"
    assert money_kept(order_id) == 0


@pytest.fixture
def server(transactional_db, plain_http_without_throttles):
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


def test_the_sandbox_reports_to_the_shop(server, api, operator, shelve, settings, tmp_path):
    """The parcels move by themselves. No worker runs."""
    settings.CARRIER, settings.CARRIER_WEBHOOK_SECRET = HTTP_CARRIER, [SECRET]
    options = ("--ship-after", "0", "--deliver-after", "0", "--webhook", f"{server.url}/shipping/webhook")
    with run_sandbox(tmp_path / "ledger.sqlite3", 0, *options, CARRIER_WEBHOOK_SECRET=SECRET) as sandbox:
        settings.CARRIER_URL = f"{sandbox.url}/carrier"
        shelve("book-123", 5)
        order_id = api.post("/orders", ORDER).json()["order_id"]
        wait_until(lambda: api.get(f"/shipping/{order_id}").json()["status"] == "delivered")
        assert findings() == {}
        assert signed_in(operator).post(f"/orders/{order_id}/return").json()["status"] == "returned"
        assert findings() == {}, "the carrier has carried the parcel"
        carrier().client.close()


@pytest.mark.parametrize("url", ["http://shop/webhook", "shop"])
def test_the_sandbox_needs_the_secret_to_report_and_a_url(url):
    with pytest.raises(CommandError):
        call_command("run_sandbox", webhook=url)


def test_the_sandbox_says_that_its_port_is_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CommandError, match="in use"):
        call_command("run_sandbox", port=taken.getsockname()[1], ledger=tmp_path / "ledger.sqlite3")
