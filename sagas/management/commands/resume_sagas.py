"""Resume the due sagas once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sagas.desk.engine import engine
from sagas.engine.recovery import due


class Command(BaseCommand):
    help = "Resume every due saga once: those whose driver has died, and those whose wait is over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="sagas at most (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        for saga in due(options["limit"]):
            before = saga.status
            if engine.recover(saga):
                saga.refresh_from_db()
                waits = f", waits until {saga.wake_at:%FT%TZ}" if saga.wake_at else ""
                self.stdout.write(f"{saga.order_id} {saga.saga_type}: {before} → {saga.status}{waits}")
