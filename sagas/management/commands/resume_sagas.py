"""Drive on, once, what was left."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sagas.engine.recovery import due, recover


class Command(BaseCommand):
    help = "Drive every saga on that is due: one whose driver has ended, or that has waited for long enough."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="sagas at most (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        for saga in due(options["limit"]):
            before = saga.status
            if recover(saga):
                saga.refresh_from_db()
                waits = f", waits until {saga.wake_at:%FT%TZ}" if saga.wake_at else ""
                self.stdout.write(f"{saga.order_id} {saga.saga_type}: {before} → {saga.status}{waits}")
