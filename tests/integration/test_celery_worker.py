"""Celery workers resume what requests have left, also if their processes are killed or queues are deleted."""

import os
import signal

import pytest

from cloudmart.celery import QUEUES
from orders.models import SagaStyle
from tests.celery_worker import SLOW, driver_of, leave, running_worker, statuses
from tests.integration.test_leases import expire_leases, work
from tests.processes import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def worker(rabbitmq, django_db_setup, django_db_blocker, tmp_path_factory):
    """A worker for all tests of this module that leave it alive."""
    with django_db_blocker.unblock(), running_worker(rabbitmq.url, tmp_path_factory.mktemp("celery")) as worker:
        yield worker


@pytest.fixture(autouse=True)
def shop(customer, shelve, broker):
    shelve("book-123", 100)


def test_a_celery_worker_finishes_what_requests_have_left_and_serves_its_counters(worker):
    for style in SagaStyle:
        leave(style)
    wait_until(lambda: statuses() == {"completed"})
    for style in SagaStyle:
        for family in (
            f'cloudmart_tasks_total{{outcome="recovered",style="{style}"}}',
            f'cloudmart_task_duration_seconds_count{{style="{style}"}}',
            f'cloudmart_orders_total{{outcome="completed",style="{style}"}}',
        ):
            wait_until(lambda family=family: family in worker.metrics())


@pytest.mark.any_database
def test_a_worker_has_no_more_messages_of_a_queue_than_processes(worker, rabbitmq):
    assert rabbitmq.prefetch_counts() == [2, 2]


@pytest.mark.any_database
def test_a_worker_declares_the_queues_of_both_styles_and_none_for_delayed_messages(worker, rabbitmq):
    assert rabbitmq.queues() == {*QUEUES.values()}


@pytest.mark.any_database
def test_a_worker_declares_queues_again_that_are_deleted(worker, rabbitmq):
    rabbitmq.delete_queues()
    wait_until(lambda: len(rabbitmq.messages()) == 2)
    leave()
    wait_until(lambda: statuses() == {"completed"})


def test_orders_whose_processes_are_killed_in_a_provider_call_are_delivered_again_and_finished_by_others(worker):
    order_ids = [leave(style, payment_token=SLOW) for style in SagaStyle]
    for order_id in order_ids:
        os.kill(driver_of(order_id), signal.SIGKILL)
    for order_id in order_ids:
        wait_until(lambda order_id=order_id: worker.ended("lost", order_id) == 1)
    assert statuses() == {"pending"}, "the leases of the dead processes hold until they expire"
    expire_leases()
    work()
    assert statuses() == {"completed"}


@pytest.mark.any_database
def test_an_order_in_hand_is_left_and_goes_on_when_the_connection_is_lost(worker, rabbitmq):
    """RabbitMQ cancels the consumer. Celery sends SIGTERM to the process, which finishes its step and lives on."""
    order_id = leave(payment_token=SLOW)
    process = driver_of(order_id)
    rabbitmq.delete_queues()
    wait_until(lambda: statuses() == {"completed"})
    wait_until(lambda: worker.ended("recovered", order_id) == 2)
    os.kill(process, 0)


@pytest.mark.any_database
def test_a_worker_goes_on_when_a_rabbitmq_that_was_killed_is_back(worker, rabbitmq):
    leave()
    wait_until(lambda: statuses() == {"completed"})
    rabbitmq.write_everything()
    rabbitmq.kill()
    rabbitmq.start()
    leave()  # is lost: by it the publisher notices that its connection is dead
    order_id = leave(SagaStyle.CHOREOGRAPHY)
    wait_until(lambda: worker.ended("recovered", order_id) == 1)
