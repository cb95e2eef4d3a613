"""Forget the idempotency keys whose time is over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from cloudmart.models import IdempotencyKey


class Command(BaseCommand):
    help = "Delete expired idempotency keys, a batch at a time. It may run beside the server, and twice at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="keys deleted in one statement (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while deleted := purge(options["batch"]):
            total += deleted
        self.stdout.write(f"{total} keys deleted")


def purge(limit: int) -> int:
    """Delete at most `limit` keys, oldest first, but none whose order has not ended; returns how many."""
    expired = IdempotencyKey.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at")
    expired = expired.exclude(order_id__isnull=False, status_code=None)
    deleted, _ = IdempotencyKey.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:limit])).delete()
    return deleted
