"""Books in batches, each with about a page of events."""

from collections.abc import Iterable, Iterator

PAGE = 20_000
"""Events read at a time."""

BOOKS = 500
"""The most books in a batch."""


def packed(sizes: Iterable[tuple[str, int]], page: int) -> Iterator[list[str]]:
    """Yields batches of these books with at most `page` events each. A book with more events is a batch of its own.

    `sizes` has each book with its number of events.
    """
    pack: list[str] = []
    events = 0
    for book_id, size in sizes:
        if pack and (events + size > page or len(pack) == BOOKS):
            yield pack
            pack, events = [], 0
        pack.append(book_id)
        events += size
    if pack:
        yield pack
