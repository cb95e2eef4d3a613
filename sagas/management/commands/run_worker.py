"""Do what no request waits for."""

import random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.api.idempotency import purge_keys
from cloudmart.database.transactions import durable
from cloudmart.kernel.stopping import ShouldStop
from cloudmart.periodic import PeriodicTask, run_until_stopped
from inventory.projector import catch_up
from inventory.services import expire_reservations
from sagas.engine.recovery import due, recover
from sagas.operations.stale_intents import resume_stale

BATCH, HOLDS, KEYS = 20, 500, 1000
"""Sagas looked up at once, holds given back in one transaction, and keys deleted in one statement."""


class Command(BaseCommand):
    help = (
        "Drive on the sagas whose drivers have ended and those that have waited for long enough, resume the charges, "
        "refunds and parcels whose process has ended, give back the holds that have expired, keep the list of books "
        "up to date, and forget old idempotency keys. Any number may run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what there is to do now, and end")
        parser.add_argument(
            "--pause", type=float, default=0.5, metavar="SECONDS", help="between looks for work (default: 0.5)"
        )

        parser.add_argument("--threads", type=int, default=4, metavar="N", help="sagas driven at a time (default: 4)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            failed = [task.name for task in tasks_with(options["pause"]) if task.run() is None]
            if failed:
                raise CommandError(f"failed: {', '.join(failed)}")
        else:
            self.stdout.write("at work", ending="\n")
            self.stdout.flush()
            run_until_stopped(*tasks_with(options["pause"], options["threads"]))


def tasks_with(pause: float, threads: int = 1) -> tuple[PeriodicTask, ...]:
    """What a worker does: so many sagas at a time, because each may wait for a provider, and all else once."""
    return (
        *[PeriodicTask("sagas", recover_all, pause)] * threads,
        PeriodicTask("stale intents", resume_stale, max(pause, 1)),
        PeriodicTask("read model", lambda should_stop: catch_up(), pause),
        PeriodicTask("expired holds", expire_all, max(pause, 1)),
        PeriodicTask("idempotency keys", purge_all, max(pause, 60)),
    )


def recover_all(should_stop: ShouldStop) -> int:
    """Drive on whatever is due, until nothing is; workers that look at the same time differ in their order."""
    total, some = 0, True
    while some and not should_stop():
        batch = due(BATCH)
        random.shuffle(batch)
        driven = sum(recover(saga, should_stop) for saga in batch if not should_stop())
        total, some = total + driven, driven > 0
    return total


def expire_all(should_stop: ShouldStop) -> int:
    total = 0
    while not should_stop() and (given_back := durable(expire_reservations)(HOLDS)) is not None:
        total += given_back
    return total


def purge_all(should_stop: ShouldStop) -> int:
    total = 0
    while not should_stop() and (deleted := purge_keys(KEYS)):
        total += deleted
    return total
