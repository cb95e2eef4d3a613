"""Without RabbitMQ, what is in it, or Redis every order finishes. Without consumers too, who then catch up."""

from contextlib import ExitStack, contextmanager, suppress

import amqp
import pytest

from benchmarks.topology import wait_for
from orders.models import SagaStyle
from tests.chaos.checks import check_everything
from tests.chaos.consumers import check_consumers
from tests.chaos.load import placed_while
from tests.chaos.report import REPORT, summary
from tests.chaos.shop import NODES, SECONDS
from tests.processes import TIMEOUT

pytestmark = pytest.mark.skipif(bool(NODES), reason="the database is not the topology's own")

QUEUES = ("orchestration.commands", "choreography.commands")
SHARE = 3
"""These tests take a third of the time of the others."""


@pytest.mark.parametrize("kinds", [("rabbitmq",), ("redis",), ("redis-streams", "receiver")], ids=" and ".join)
def test_every_order_finishes_if_it_is_dead_for_good(shop, kinds):
    with shop.topology.without(*kinds):
        orders = placed_while(shop, SagaStyle.values, lambda is_over: None, SECONDS / SHARE)
        drained = check_everything(shop, orders)
    faults = ["killed before the load, and restarted once every order was finished"]
    REPORT.extend(summary(f"without {' and '.join(kinds)}", orders, drained, faults, check_consumers(shop)))


def test_every_order_finishes_if_every_queue_is_deleted(shop):
    deleted = []

    def delete_queues(is_over):
        while not is_over.wait(1) or not deleted:
            with ExitStack() as stack:
                for worker in shop.topology.components("celery"):
                    stack.enter_context(worker.frozen())
                wait_for(lambda: waiting_messages(shop) > 0, TIMEOUT, "nothing is published")
                channel = stack.enter_context(broker(shop))
                deleted.extend(channel.queue_delete(queue) for queue in QUEUES)

    orders = placed_while(shop, SagaStyle.values, delete_queues, SECONDS / SHARE)
    drained = check_everything(shop, orders)
    assert sum(deleted)
    faults = [f"{len(deleted)} deletions, with {sum(deleted)} messages"]
    REPORT.extend(summary("queues deleted", orders, drained, faults, check_consumers(shop)))


def waiting_messages(shop):
    """Returns how many messages no worker has received; none are in a queue that no worker has declared yet."""
    number = 0
    for queue in QUEUES:
        with broker(shop) as channel, suppress(amqp.NotFound):
            number += channel.queue_declare(queue, passive=True).message_count
    return number


@contextmanager
def broker(shop):
    (rabbitmq,) = shop.topology.components("rabbitmq")
    with amqp.Connection(f"127.0.0.1:{rabbitmq.port}") as connection:
        yield connection.channel()
