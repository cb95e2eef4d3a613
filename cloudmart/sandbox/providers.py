"""A provider at work: it does one thing at a time under a key, and has its troubles."""

from collections.abc import Callable
from threading import Lock, Thread
from time import sleep

from cloudmart.sandbox.knobs import Board
from cloudmart.sandbox.ledger import Answer, Ledger
from cloudmart.sandbox.rules import NOT_TAKEN, Wish, as_said, settle

IN_PROGRESS = Answer(409, {"code": "in_progress", "detail": "The first request with this key is still running."})
NO_SUCH_KEY = Answer(404, {"code": "no_such_key", "detail": "No request with this key has been answered yet."})
BROKEN = Answer(500, {"code": "broken", "detail": "Who knows what was done."})


class Provider:
    """Wherever an answer may be None, it is lost: the connection is dropped."""

    def __init__(self, name: str, ledger: Ledger, board: Board) -> None:
        self.name, self.ledger, self.board = name, ledger, board
        self._lock = Lock()
        self._running: set[str] = set()

    def serve(self, work: Callable[[], Answer | None]) -> Answer | None:
        """Do the work, as far as the knobs let it."""
        if self.board.strikes("drop_before"):
            return None
        if self.board.strikes("unavailable"):
            return NOT_TAKEN
        if self.board.strikes("duplicate"):
            Thread(target=work, daemon=True).start()
        answer = work()
        if self.board.strikes("drop_after"):
            return None
        return BROKEN if self.board.strikes("error_after") else answer

    def take(self, key: str, wish: Wish) -> Answer | None:
        if not self._begin(key):
            return IN_PROGRESS
        try:
            if not self._answered(key):
                sleep(self.board.values()["latency"] / 1000 + wish.fate.slow)
            with self.ledger.transaction(self.name) as page:
                answer, is_lost = settle(page, key, wish)
        finally:
            self._running.discard(key)
        return None if is_lost else as_said(answer, key)

    def look_up(self, key: str) -> Answer:
        if key in self._running:
            return IN_PROGRESS
        return as_said(self._answered(key) or NO_SUCH_KEY, key)

    def _begin(self, key: str) -> bool:
        with self._lock:
            is_first = key not in self._running
            self._running.add(key)
            return is_first

    def _answered(self, key: str) -> Answer | None:
        with self.ledger.transaction(self.name) as page:
            return page.known(key).answer
