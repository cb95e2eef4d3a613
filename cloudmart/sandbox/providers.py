"""A provider: it processes one request at a time for each key, and has the faults that its knobs set."""

from collections.abc import Callable
from threading import Lock, Thread
from time import sleep

from cloudmart.sandbox.knobs import Board
from cloudmart.sandbox.ledger import Ledger, Response
from cloudmart.sandbox.rules import NOT_TAKEN, Operation, settle, worded_response

IN_PROGRESS = Response(409, {"code": "in_progress", "detail": "The first request with this key is still running."})
NO_SUCH_KEY = Response(404, {"code": "no_such_key", "detail": "No request with this key has a response yet."})
BROKEN = Response(500, {"code": "broken", "detail": "The outcome is not known."})


class Provider:
    """A response of None is lost: the connection is closed."""

    def __init__(self, name: str, ledger: Ledger, board: Board) -> None:
        self.name, self.ledger, self.board = name, ledger, board
        self._lock = Lock()
        self._running: set[str] = set()

    def serve(self, work: Callable[[], Response | None]) -> Response | None:
        """Do the work, with the faults that the knobs set."""
        if self.board.strikes("drop_before"):
            return None
        if self.board.strikes("unavailable"):
            return NOT_TAKEN
        if self.board.strikes("duplicate"):
            Thread(target=work, daemon=True).start()
        response = work()
        if self.board.strikes("drop_after"):
            return None
        return BROKEN if self.board.strikes("error_after") else response

    def take(self, key: str, operation: Operation) -> Response | None:
        if not self._begin(key):
            return IN_PROGRESS
        try:
            if not self._stored(key):
                sleep(self.board.values()["latency"] / 1000 + operation.behaviour.slow)
            with self.ledger.transaction(self.name) as page:
                response, is_lost = settle(page, key, operation)
        finally:
            self._running.discard(key)
        return None if is_lost else worded_response(response, key)

    def look_up(self, key: str) -> Response:
        if key in self._running:
            return IN_PROGRESS
        return worded_response(self._stored(key) or NO_SUCH_KEY, key)

    def _begin(self, key: str) -> bool:
        with self._lock:
            is_first = key not in self._running
            self._running.add(key)
            return is_first

    def _stored(self, key: str) -> Response | None:
        with self.ledger.transaction(self.name) as page:
            return page.known(key).response
