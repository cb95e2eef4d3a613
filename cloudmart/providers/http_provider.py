"""Requests to a provider over HTTP, and the outcome that each HTTP response stands for.

The protocol is the sandbox's. A bare 503 promises nothing: a proxy sends it too, and may have passed the request
on. So a provider counts as unavailable only if no connection was made, or if it says itself that it did nothing.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore
from django.conf import settings

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.http_client import HttpClient, Response
from cloudmart.providers.outcomes import Accepted, Outcome, OutcomeUnknown, ProviderUnavailable, Refused, Unknown

MAX_RESPONSE = 64 * 1024
"""Bytes of a response, headers included. The sandbox's have a few hundred."""
NOT_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout)
NO_RESPONSE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
MISTAKES = {400, 401, 403, 404, 405, 413, 415, 422}
SHOWN = 500
"""Characters of a response that an error message contains."""


class ProviderMisused(Exception):
    """The provider calls the request wrong: a defect of ours, which no retry mends."""


class HttpProvider:
    """A client that the threads of a process share. It sends each request once; `call_provider` retries."""

    refusal: type[DomainError]
    """The error that a refusal stands for."""

    def __init__(self, url: str) -> None:
        self.url = f"{url.rstrip('/')}/"
        self.client = HttpClient(
            connect_timeout=settings.PROVIDER_CONNECT_TIMEOUT,
            read_timeout=settings.PROVIDER_READ_TIMEOUT,
            deadline=settings.PROVIDER_DEADLINE,
            max_response=MAX_RESPONSE,
        )

    def post(self, path: str, key: str, **body: Any) -> Outcome:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._outcome(self._send("POST", path, headers=headers, content=json.dumps(body).encode()))

    def get(self, path: str) -> Response:
        """Sends a request that changes nothing. Raises ProviderUnavailable and OutcomeUnknown."""
        return self._send("GET", path)

    def lookup(self, key: str) -> Outcome:
        """Returns the outcome of the request with this key; Unknown if it has not arrived, as it still may."""
        response = self.get(f"requests/{quote(key, safe='')}")
        return Unknown("no response yet") if response.status == 404 else self._outcome(response)

    def ledger(self) -> dict[str, int]:
        """Returns what is left of each charge or parcel at the provider, by idempotency key. Reads page by page."""
        path = f"/ledger/{urlsplit(self.url).path.strip('/')}"
        left: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            response = self.get(f"{path}?after={quote(after, safe='')}")
            if response.status != 200:
                raise OutcomeUnknown(f"HTTP {response.status}")
            page = json.loads(response.content)
            left.update(page["left"])
            after = page["next"]
        return left

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Response:
        """Raises ProviderUnavailable if nothing was sent, and OutcomeUnknown if no readable response came."""
        try:
            response = self.client.request(method, urljoin(self.url, path), headers or {}, content)
        except NOT_SENT as error:
            raise ProviderUnavailable(f"{type(error).__name__}: {error}") from error
        except NO_RESPONSE as error:
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
        if response.encoding != "identity":
            raise OutcomeUnknown(f"HTTP {response.status}, compressed though the request did not allow it")
        return response

    def _outcome(self, response: Response) -> Outcome:
        match response.status, content_of(response):
            case 200, {"reference": str(reference)}:
                return Accepted(reference)
            case 402, {"code": str(code), "detail": str(detail)}:
                return Refused(self.refusal(detail, reason=code))
            case 503, {"code": "not_taken"}:
                raise ProviderUnavailable("HTTP 503, not taken")
            case status, _ if status in MISTAKES:
                raise ProviderMisused(f"HTTP {status}: {response.content.decode(errors='replace')[:SHOWN]}")
        raise OutcomeUnknown(f"HTTP {response.status}")


def content_of(response: Response) -> Any:
    """Returns the JSON of the response; None if it is no JSON, or nested too deeply."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None
