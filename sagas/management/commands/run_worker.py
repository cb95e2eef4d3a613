"""Do what no request waits for."""

import random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.api.idempotency import purge_keys
from cloudmart.kernel.following import IsLeaving, Task, follow
from cloudmart.kernel.transactions import durable
from inventory.projector import catch_up
from inventory.services import expire_reservations
from sagas.intents import resume_stale
from sagas.recovery import due, recover

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
            follow(*tasks_with(options["pause"], options["threads"]))


def tasks_with(pause: float, threads: int = 1) -> tuple[Task, ...]:
    """What a worker does: so many sagas at a time, because each may wait for a provider, and all else once."""
    return (
        *[Task("sagas", recover_all, pause)] * threads,
        Task("stale intents", resume_stale, max(pause, 1)),
        Task("read model", lambda is_leaving: catch_up(), pause),
        Task("expired holds", expire_all, max(pause, 1)),
        Task("idempotency keys", purge_all, max(pause, 60)),
    )


def recover_all(is_leaving: IsLeaving) -> int:
    """Drive on whatever is due, until nothing is; workers that look at the same time differ in their order."""
    total, some = 0, True
    while some and not is_leaving():
        batch = due(BATCH)
        random.shuffle(batch)
        driven = sum(recover(saga, is_leaving) for saga in batch if not is_leaving())
        total, some = total + driven, driven > 0
    return total


def expire_all(is_leaving: IsLeaving) -> int:
    total = 0
    while not is_leaving() and (given_back := durable(expire_reservations)(HOLDS)) is not None:
        total += given_back
    return total


def purge_all(is_leaving: IsLeaving) -> int:
    total = 0
    while not is_leaving() and (deleted := purge_keys(KEYS)):
        total += deleted
    return total
