"""A receiver of webhooks and a Redis, each in a process of its own, and what has arrived there of each order."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.outbox.models import EventSequence, OutboxEvent
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.models import DeliveryStatus, WebhookDelivery
from orders.models import Order
from payments.models import Refund, RefundStatus
from sagas.models import Event
from sagas.streams.server import stream_of
from shipping.models import Shipment
from tests.processes import ROOT
from tests.receivers import Receiver, running_receiver
from tests.redis_server import RedisServer, running_redis
from tests.webhook_receiver import ACCEPT, RECEIVED

CONFIG = ROOT / "cloudmart" / "deploy" / "redis-streams.conf"
"""Redis writes to its AOF before it responds."""

Document = dict[str, Any]
"""A CloudEvents document."""


@dataclass
class Consumers:
    """What has arrived is read once, and kept by the subject."""

    receiver: Receiver
    redis: RedisServer
    _webhooks: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    _published: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    _read: int = 0
    _positions: dict[str, str] = field(default_factory=dict)

    def empty(self) -> None:
        """Empties the streams."""
        with self.redis.client() as client:
            client.flushall()
        self._positions.clear()

    def restore(self) -> None:
        """Has both run, and the receiver accept webhooks."""
        self.receiver.behave(ACCEPT)
        for each in (self.receiver, self.redis):
            assert each.process
            if each.process.poll() is not None:
                each.start()

    def webhooks_of(self, subject: UUID | str) -> list[Document]:
        """Returns the subject's webhooks as they have arrived, with repetitions."""
        with (self.receiver.folder / RECEIVED).open("rb") as file:
            file.seek(self._read)
            for line in filter(None, map(bytes.strip, file)):
                webhook = json.loads(line)
                document = json.loads(webhook["body"])
                assert webhook["id"] == document["id"]
                self._webhooks[document["subject"]].append(document)
            self._read = file.tell()
        return self._webhooks[str(subject)]

    def published_of(self, subject: UUID | str) -> list[Document]:
        """Returns the subject's events in the streams, with repetitions."""
        streams: dict[Any, Any] = {
            stream: self._positions.get(stream, "0-0") for stream in map(stream_of, range(settings.EVENTS_PARTITIONS))
        }
        with self.redis.client() as client:
            batches: Any = client.xread(streams)
        for stream, entries in batches:
            for position, entry in entries:
                document = json.loads(entry["event"])
                assert document.pop("partitionkey") == document["subject"]
                self._published[document["subject"]].append(document)
                self._positions[stream] = position
        return self._published[str(subject)]

    def check(self, order_id: UUID, outcomes: Set[str]) -> None:
        """Checks that both have each of the order's events, in order, apart from repetitions.

        `outcomes` are completed, cancelled and returned, if the order's saga has finished so.
        """
        webhooks, published = once(self.webhooks_of(order_id)), once(self.published_of(order_id))
        latest = EventSequence.objects.filter(pk=f"order:{order_id}").values_list("latest", flat=True).first() or 0
        assert sequences_of(webhooks) == [*range(1, latest + 1)]
        assert [each["type"] for each in webhooks] == types_of(order_id, outcomes)
        assert from_source(settings.EVENT_SOURCE, published) == webhooks
        steps = Event.objects.filter(aggregate_id=order_id).order_by("seq")
        assert [
            (each["id"], int(each["sequence"]), each["type"])
            for each in from_source(f"{settings.EVENT_SOURCE}:saga", published)
        ] == [(str(step.pk), step.seq, step.event_type) for step in steps]
        check_refunds(order_id, webhooks)

    def check_all(self, latest: Mapping[str, int], steps: Mapping[str, int]) -> None:
        """Checks that both have all events, those of each subject in order, apart from repetitions.

        `latest` has the number of each subject's events in the outbox, and `steps` that of each order's saga.
        """
        assert {each: sequences_of(once(self.webhooks_of(each))) for each in latest} == up_to(latest)
        assert self._sequences_from(settings.EVENT_SOURCE, latest) == up_to(latest)
        assert self._sequences_from(f"{settings.EVENT_SOURCE}:saga", steps) == up_to(steps)

    def _sequences_from(self, source: str, subjects: Iterable[str]) -> dict[str, list[int]]:
        return {each: sequences_of(from_source(source, once(self.published_of(each)))) for each in subjects}

    def repetitions(self, order_id: UUID) -> tuple[int, int]:
        """Returns how many webhooks of the order, and how many of its events in the streams, are repetitions."""
        webhooks, published = self.webhooks_of(order_id), self.published_of(order_id)
        return len(webhooks) - len(once(webhooks)), len(published) - len(once(published))


def waiting() -> int:
    """Returns how many events wait in the outbox, or for an endpoint."""
    return OutboxEvent.objects.count() + WebhookDelivery.objects.exclude(status=DeliveryStatus.DELIVERED).count()


def recorded() -> tuple[dict[str, int], dict[str, int]]:
    """Returns the number of events of each subject, and of each order's saga."""
    latest = {row.subject.partition(":")[2]: row.latest for row in EventSequence.objects.all()}
    return latest, dict(Counter(map(str, Event.objects.values_list("aggregate_id", flat=True))))


def once(documents: Iterable[Document]) -> list[Document]:
    """Returns the documents without repetitions, which have to be equal."""
    first: dict[tuple[str, str], Document] = {}
    for each in documents:
        assert first.setdefault((each["source"], each["id"]), each) == each
    return list(first.values())


def up_to(latest: Mapping[str, int]) -> dict[str, list[int]]:
    """Returns the numbers from 1 to the latest of each subject."""
    return {subject: [*range(1, number + 1)] for subject, number in latest.items()}


def sequences_of(documents: Iterable[Document]) -> list[int]:
    return [int(each["sequence"]) for each in documents]


def from_source(source: str, documents: Iterable[Document]) -> list[Document]:
    return [each for each in documents if each["source"] == source]


def types_of(order_id: UUID, outcomes: Set[str]) -> list[str]:
    """Returns the types of the events of an order with these outcomes, in their order."""
    delivered = Shipment.objects.filter(order_id=order_id, delivered_at__isnull=False).exists()
    refunds = Refund.objects.filter(payment__order_id=order_id, status=RefundStatus.REFUNDED, amount__gt=0).count()
    return [
        *[EventType.ORDER_COMPLETED] * ("completed" in outcomes),
        *[EventType.PARCEL_DELIVERED] * delivered,
        *[EventType.PAYMENT_REFUNDED] * refunds,
        *[f"order.{outcome}" for outcome in outcomes - {"completed"}],
    ]


def check_refunds(order_id: UUID, webhooks: Sequence[Document]) -> None:
    """Checks that the last outcome names the refunds before it, and the order's status."""
    refunds = [each["data"] for each in webhooks if each["type"] == EventType.PAYMENT_REFUNDED]
    if outcomes := [each["data"] for each in webhooks if each["type"].startswith("order.")]:
        assert outcomes[-1]["status"] == Order.objects.get(pk=order_id).status
        named = [(each["refund_id"], each["amount"]) for each in outcomes[-1]["payment"]["refunds"]]
        assert named == [(each["refund_id"], each["amount"]) for each in refunds]


@contextmanager
def consuming(folder: Path) -> Iterator[Consumers]:
    redis_folder = folder / "redis"
    redis_folder.mkdir()
    with running_receiver(folder / "receiver") as receiver, running_redis(redis_folder, CONFIG) as redis:
        yield Consumers(receiver, redis)
