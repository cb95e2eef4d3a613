"""Requests to the API: repeated when they fail on the way, and carried out once."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx

from cloudmart_client import problems
from cloudmart_client.errors import ConnectionFailed, Problem, UnexpectedResponse

IDEMPOTENCY_KEY, RETRY_AFTER = "Idempotency-Key", "Retry-After"
TEMPORARY = {429, 500, 502, 503, 504}
"""The statuses after which a request is repeated."""

TEMPORARY_PROBLEMS = {problems.IdempotencyKeyInUse.code}
"""So are these: the first request with this key is still being processed."""

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often a request is repeated, and after how many seconds."""

    most: int = 4
    first_pause: float = 0.5
    """Each further pause is twice as long. All are shortened at random, so that clients do not return together."""
    longest_pause: float = 30
    """If the server wants more time than this, the error is raised at once."""

    def pause(self, repeats: int, retry_after: float | None) -> float:
        """Returns the pause before the next repeat, which is no shorter than the server wants."""
        backoff = min(self.longest_pause, self.first_pause * 2**repeats) * random.uniform(0.5, 1)
        return float(max(backoff, retry_after or 0))

    def allow(self, repeats: int, retry_after: float | None) -> bool:
        return repeats < self.most and (retry_after or 0) <= self.longest_pause


class Transport:
    """Sends requests with the token, and returns the responses that are no errors."""

    def __init__(self, http: httpx.Client, retries: Retries, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._retries = retries
        self._sleep = sleep

    def get(self, path: str, query: Json | None = None) -> httpx.Response:
        """Raises Problem, ConnectionFailed and UnexpectedResponse."""
        return self._send(self._http.build_request("GET", path, params=query))

    def command(
        self, method: str, path: str, body: Json | None = None, *, key: str | None = None, prefer: str | None = None
    ) -> httpx.Response:
        """Sends a command. All its repeats have one Idempotency-Key, so that it is carried out once.

        Raises Problem, ConnectionFailed and UnexpectedResponse.
        """
        headers = {IDEMPOTENCY_KEY: key or str(uuid4()), **({"Prefer": prefer} if prefer else {})}
        return self._send(self._http.build_request(method, path, json=body, headers=headers))

    def close(self) -> None:
        self._http.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Sends the request until it has a response that is final, or no more repeats are allowed."""
        repeats = 0
        while True:
            outcome = self._try(request)
            retry_after = retry_after_of(outcome)
            if not is_temporary(outcome) or not self._retries.allow(repeats, retry_after):
                return checked(request, outcome)
            self._sleep(self._retries.pause(repeats, retry_after))
            repeats += 1

    def _try(self, request: httpx.Request) -> httpx.Response | httpx.RequestError:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error


def checked(request: httpx.Request, outcome: httpx.Response | httpx.RequestError) -> httpx.Response:
    """Returns the response, if it is no error. Raises Problem, ConnectionFailed and UnexpectedResponse."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if isinstance(outcome, httpx.RequestError):
        raise ConnectionFailed(f"{type(outcome).__name__}: {outcome}", key) from outcome
    if outcome.is_success:
        return outcome
    if (body := problem_in(outcome)) is None:
        raise UnexpectedResponse(outcome.status_code, outcome.text)
    raise Problem.of(outcome.status_code, body, retry_after_of(outcome), key)


def is_temporary(outcome: httpx.Response | httpx.RequestError) -> bool:
    """Returns True if the same request may have another outcome soon."""
    if isinstance(outcome, httpx.RequestError) or outcome.status_code in TEMPORARY:
        return True
    body = problem_in(outcome)
    return body is not None and body["code"] in TEMPORARY_PROBLEMS


def retry_after_of(outcome: httpx.Response | httpx.RequestError) -> float | None:
    """Returns the seconds of Retry-After, which may also be a date; None if it is missing or malformed."""
    text = outcome.headers.get(RETRY_AFTER, "") if isinstance(outcome, httpx.Response) else ""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def problem_in(response: httpx.Response) -> dict[str, Any] | None:
    """Returns the problem that the response is; None if it is something else."""
    try:
        body = {} if response.is_success else response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and {"code", "detail"} <= body.keys() else None


def given(**members: Any) -> dict[str, Any]:
    """Returns the members without those that were left out, and days and times as text."""
    return {name: _plain(value) for name, value in members.items() if value is not None}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
