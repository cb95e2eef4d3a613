"""Runs the worker."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from prometheus_client import start_http_server

from cloudmart.api.claims import purge_keys
from cloudmart.database.transactions import durable
from cloudmart.kernel.sharing import Share, alone
from cloudmart.kernel.stopping import ShouldStop
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer
from cloudmart.periodic import PeriodicTask, block_stop_signals, run_until_stopped
from cloudmart.process import collect_garbage_rarely
from cloudmart.webhooks.queue import delete_old as delete_old_webhooks
from cloudmart.webhooks.queue import fail_stranded
from cloudmart.webhooks.recording import receive
from cloudmart.webhooks.registration import delete_left
from cloudmart.webhooks.sending import Sender
from inventory import following
from inventory.services import expire_reservations
from orders.mails.queue import delete_old as delete_old_mails
from orders.mails.sending import send_due
from sagas.desk.engine import engine
from sagas.desk.mails import record_mails
from sagas.engine.recovery import due
from sagas.operations.batches.queue import delete_old as delete_old_batches
from sagas.operations.batches.work import run_due
from sagas.operations.figures.audit_runs import delete_old_runs, run_requested
from sagas.operations.figures.order_hours import count_due_hours, delete_old_hours
from sagas.operations.figures.workers import INTERVAL as HEARTBEAT_INTERVAL
from sagas.operations.figures.workers import Heartbeat, registered
from sagas.operations.parcels import poll_parcels
from sagas.operations.stale_intents import resume_stale
from sagas.streams.tasks import publish_pending

BATCH, RESERVATIONS, KEYS, MAILS, WEBHOOKS, BATCHES = 20, 500, 1000, 1000, 1000, 10
"""Sagas read at once, reservations expired in one transaction; keys, mails, webhooks, batches deleted in one."""


class Command(BaseCommand):
    help = (
        "Resume sagas whose driver has died or whose wait is over, resume charges, refunds and parcels whose process "
        "has died, ask the carrier about parcels, expire reservations, update the list of books, send mails to "
        "customers, send webhooks, publish events to Redis, run the commands of batches, count the orders of each "
        "hour, run the audit if an operator has requested it, and delete expired idempotency keys, old mails, old "
        "webhooks, old batches and old figures. Any number of workers may run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, and exit")
        parser.add_argument(
            "--interval", type=float, default=0.5, metavar="SECONDS", help="between looks for work (default: 0.5)"
        )
        parser.add_argument(
            "--threads", type=int, default=4, metavar="N", help="sagas driven at the same time (default: 4)"
        )
        parser.add_argument(
            "--metrics-port", type=int, metavar="PORT", help="serve this worker's counters to Prometheus (default: no)"
        )
        parser.add_argument(
            "--metrics-host", default="127.0.0.1", metavar="HOST", help="the address for that (default: 127.0.0.1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            run_once(*tasks(Heartbeat(), options["interval"]))
        else:
            if options["metrics_port"] is not None:
                serve_metrics(options["metrics_host"], options["metrics_port"])
            heartbeat = Heartbeat()
            with registered():
                collect_garbage_rarely()
                self.stdout.write("worker started", ending="\n")
                self.stdout.flush()
                run_until_stopped(
                    PeriodicTask("heartbeat", heartbeat.beat, HEARTBEAT_INTERVAL),
                    *[
                        replace(task, after_run=heartbeat.note, interval_factor=heartbeat.interval_factor)
                        for task in tasks(heartbeat, options["interval"], options["threads"])
                    ],
                )


def run_once(*due: PeriodicTask) -> None:
    """Runs each task once. Raises CommandError if some fail, after the others have run."""
    failed = []
    for task in due:
        if task.run() is None:
            failed.append(task.name)
        task.close()
    if failed:
        raise CommandError(f"failed: {', '.join(failed)}")


def serve_metrics(host: str, port: int) -> None:
    """Serves the counters of this process at this address. Raises CommandError if it is taken."""
    block_stop_signals()
    try:
        start_http_server(port, host)
    except OSError as error:
        raise CommandError(f"cannot serve metrics on {host}:{port}: {error}") from error


def tasks(heartbeat: Heartbeat, interval: float, threads: int = 1) -> tuple[PeriodicTask, ...]:
    """Returns the worker's tasks. Sagas have several threads, because each may wait for a provider."""
    share, sender = heartbeat.share, Sender()
    return (
        *[
            PeriodicTask("sagas", partial(recover_all, share=partial(share, thread, threads)), interval)
            for thread in range(threads)
        ],
        PeriodicTask("stale intents", partial(resume_stale, share=share), max(interval, 1)),
        PeriodicTask("parcels", partial(poll_parcels, share=share), max(interval, 1)),
        *following.tasks(interval),
        PeriodicTask("expired reservations", expire_all, max(interval, 1)),
        PeriodicTask("mail events", record_mails, interval, always_waits=True, yields=True),
        PeriodicTask("mails", partial(send_due, share=share), max(interval, 1), yields=True),
        PeriodicTask(
            "stream", publish_pending, interval if settings.EVENTS_URL else 60, always_waits=True, yields=True
        ),
        PeriodicTask(
            "webhooks", partial(pass_on, Consumer.WEBHOOKS, receive), interval, always_waits=True, yields=True
        ),
        PeriodicTask("webhook sender", sender.send_due, interval, always_waits=True, yields=True, close=sender.close),
        PeriodicTask("batches", partial(run_due, share=share), interval),
        PeriodicTask("counts of orders", count_due_hours, max(interval, 5)),
        PeriodicTask("audit", run_requested, max(interval, 1)),
        PeriodicTask("idempotency keys", purge_all(purge_keys, KEYS), max(interval, 60)),
        PeriodicTask("old mails", purge_all(delete_old_mails, MAILS), max(interval, 60)),
        PeriodicTask("old webhooks", purge_webhooks, max(interval, 60)),
        PeriodicTask("old batches", purge_all(delete_old_batches, BATCHES), max(interval, 60)),
        PeriodicTask("old figures", lambda should_stop: delete_old_hours() + delete_old_runs(), max(interval, 60)),
    )


def recover_all(should_stop: ShouldStop, share: Callable[[], Share] = alone) -> int:
    """Recovers due sagas until there are none. The random order is for drivers that do not know each other."""
    total, some = 0, True
    while some and not should_stop():
        batch = due(BATCH, share())
        random.shuffle(batch)
        recovered = sum(engine.recover(saga, should_stop) for saga in batch if not should_stop())
        total, some = total + recovered, recovered > 0
    return total


def expire_all(should_stop: ShouldStop) -> int:
    """Expires reservations until there are none, or another worker has expired those that this one has found."""
    total = 0
    while not should_stop() and (expired := durable(expire_reservations)(RESERVATIONS)):
        total += expired
    return total


def purge_all(purge: Callable[[int], int], batch: int) -> Callable[[ShouldStop], int]:
    """Returns the work that deletes rows in batches until there are none left to delete."""

    def work(should_stop: ShouldStop) -> int:
        total = 0
        while not should_stop() and (deleted := purge(batch)):
            total += deleted
        return total

    return work


def purge_webhooks(should_stop: ShouldStop) -> int:
    """Has deliveries fail that no worker will send, and deletes old ones, and those of deleted endpoints."""
    purges = [purge_all(purge, WEBHOOKS) for purge in (delete_left, delete_old_webhooks)]
    return fail_stranded() + sum(purge(should_stop) for purge in purges)
