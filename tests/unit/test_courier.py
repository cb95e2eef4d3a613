"""The sandbox's parcels: moved on command or by themselves, and reported until the shop accepts it."""

import json
import time
from datetime import datetime, timedelta

import httpcore
import pytest

from cloudmart.api.webhooks import is_signed
from cloudmart.providers.odd_texts import PLAIN
from cloudmart.sandbox import parcels as parcels_module
from cloudmart.sandbox.courier import LONGEST_BACKOFF, TRIES, Courier, Reports
from cloudmart.sandbox.knobs import Board, Knobs
from cloudmart.sandbox.ledger import Ledger
from cloudmart.sandbox.parcels import Parcels
from cloudmart.sandbox.providers import Provider
from cloudmart.sandbox.rules import CANCELLED, COLLECTED, CallOff, Parcel
from tests.carrier import SECRET

pytestmark = pytest.mark.any_database

URL = "http://shop/shipping/webhook"


class Clock:
    """The clock by which parcels move and webhooks are due, which a test sets forward."""

    def __init__(self, monkeypatch):
        self.ahead = 0.0
        monkeypatch.setattr(parcels_module, "time", self)
        monkeypatch.setattr(parcels_module, "datetime", self)

    def time(self):
        return time.time() + self.ahead

    def now(self, zone):
        return datetime.now(zone) + timedelta(seconds=self.ahead)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def ledger(tmp_path, settings):
    settings.PROVIDER_TEXTS = PLAIN
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    yield ledger
    ledger.close()


@pytest.fixture
def carrier(ledger):
    return Provider("carrier", ledger, Board(Knobs()))


@pytest.fixture
def key(carrier):
    carrier.take("key", Parcel("order-1", "150-0001", ""))
    return "key"


class Shop:
    """Receives webhooks, and responds with the next of these statuses, or raises it; then with 204."""

    def __init__(self, *responses):
        self.responses, self.received = list(responses), []

    def __call__(self, url, headers, body):
        assert url == URL and is_signed(body, headers, [SECRET])
        self.received.append((headers["webhook-id"], json.loads(body)))
        response = self.responses.pop(0) if self.responses else 204
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def types(self):
        return [body["type"] for _, body in self.received]


def move(ledger, name, status):
    with ledger.transaction("carrier") as page:
        parcels = Parcels(page.file)
        return parcels.move(parcels.find(name), status)


def status_of(ledger, name):
    with ledger.transaction("carrier") as page:
        return Parcels(page.file).find(name).status


def courier(ledger, shop, **reports):
    return Courier(ledger, Reports(url=URL, secret=SECRET, **reports), shop)


def test_a_parcel_moves_on_command_by_any_of_its_names(ledger, key):
    shipped = move(ledger, key, "shipped")
    assert (shipped.status, shipped.delivered_at) == ("shipped", None) and shipped.shipped_at
    assert move(ledger, "order-1", "delivered").status == "delivered"
    assert move(ledger, shipped.tracking_number, "shipped").status == "delivered", "it does not move back"


def test_each_move_is_reported_once_with_the_key_of_the_parcel(ledger, key):
    shop = Shop()
    for status in ("shipped", "shipped", "delivered"):
        move(ledger, key, status)
    for _ in range(2):
        courier(ledger, shop).step()
    assert shop.types == ["parcel.shipped", "parcel.delivered"]
    ((_, body), _) = shop.received
    assert body["data"]["parcel_key"] == key and body["timestamp"]


def test_a_webhook_is_sent_under_the_same_id_until_it_is_accepted(ledger, key, clock):
    shop = Shop(503, 401, httpcore.ConnectError("down"))
    move(ledger, key, "shipped")
    for _ in range(10):
        courier(ledger, shop).step()
        clock.ahead += LONGEST_BACKOFF
    assert shop.types == ["parcel.shipped"] * 4
    assert len({message_id for message_id, _ in shop.received}) == 1


def test_a_refused_webhook_is_not_sent_again_at_once(ledger, key):
    shop = Shop(503)
    move(ledger, key, "shipped")
    for _ in range(3):
        courier(ledger, shop).step()
    assert len(shop.received) == 1


def test_a_webhook_is_not_sent_again_after_many_attempts(ledger, key, clock):
    shop = Shop(*[503] * 100)
    move(ledger, key, "shipped")
    for _ in range(TRIES + 5):
        courier(ledger, shop).step()
        clock.ahead += LONGEST_BACKOFF
    assert len(shop.received) == TRIES


def test_parcels_move_by_themselves_after_a_while(ledger, key, clock):
    shop = Shop()
    alone = courier(ledger, shop, ship_after=10, deliver_after=20)
    for expected in ("arranged", "shipped", "shipped", "delivered"):
        alone.step()
        assert status_of(ledger, key) == expected
        clock.ahead += 11
    assert shop.types == ["parcel.shipped", "parcel.delivered"]


def test_a_cancelled_parcel_does_not_move(carrier, ledger, key, clock):
    carrier.take("key:cancel", CallOff(key))
    clock.ahead += 100
    courier(ledger, Shop(), ship_after=1, deliver_after=1).step()
    assert status_of(ledger, key) == "cancelled"
    with pytest.raises(ValueError, match="cancelled"):
        move(ledger, key, "shipped")


@pytest.mark.parametrize("status", ["shipped", "delivered"])
def test_a_collected_parcel_cannot_be_cancelled(carrier, ledger, key, status):
    move(ledger, key, status)
    assert carrier.take("key:cancel", CallOff(key)) == COLLECTED
    assert status_of(ledger, key) == status
    assert carrier.take(key, Parcel("order-1", "150-0001", "")).status == 200, "it is still the same parcel"
    assert carrier.take("other:cancel", CallOff("other")).status == 200
    assert carrier.take("other", Parcel("order-2", "150-0001", "")) == CANCELLED
