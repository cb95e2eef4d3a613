"""The deploy check of split books, for `check --deploy --database default`."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections

from inventory.models import SubShelf


@register(Tags.database, deploy=True)
def check_split_books(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterator[CheckMessage]:
    """Every order of a split book would lock all its sub-shelves, and its history would lag by a minute."""
    if settings.SHELF_SHARDS <= 1 and DEFAULT_DB_ALIAS in (databases or ()) and (books := split_books()):
        yield Warning(
            f"SHELF_SHARDS is {settings.SHELF_SHARDS}, but these books are split: {', '.join(books)}.",
            hint="Set it in all processes, or put the books together: manage.py split_book BOOK --shards 1.",
            id="cloudmart.W009",
        )


def split_books() -> list[str]:
    """Returns the codes of the split books; none before the migration that makes the table."""
    if SubShelf._meta.db_table not in connections[DEFAULT_DB_ALIAS].introspection.table_names():
        return []
    return list(SubShelf.objects.order_by("shelf").values_list("shelf", flat=True).distinct())
