"""How a provider is asked over HTTP, and what its answers mean, and its silence.

The protocol is the sandbox's. A bare 503 promises nothing: a proxy says it too, and may have passed the request on. So
a provider counts as unavailable only when no connection came about, or when it says itself that it did nothing.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore
from django.conf import settings

from cloudmart.kernel.errors import DomainError
from cloudmart.providers.http_client import HttpClient, Response
from cloudmart.providers.remote import Accepted, Outcome, OutcomeUnknown, ProviderUnavailable, Refused, Unknown

MAX_RESPONSE = 64 * 1024
"""Bytes of a response, headers included. Ours have a few hundred."""
NOT_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout)
NO_RESPONSE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
MISTAKES = {400, 401, 403, 404, 405, 413, 415, 422}
SHOWN = 500
"""Characters of a response that stand in an error message."""


class ProviderMisused(Exception):
    """The provider says that the request is wrong. That is a mistake of ours, which no repeat will mend."""


class HttpProvider:
    """A client that the threads of a process share. It asks once: cloudmart.providers.remote.ask repeats."""

    refusal: type[DomainError]
    """What a refusal means to us."""

    def __init__(self, url: str) -> None:
        self.url = f"{url.rstrip('/')}/"
        self.client = HttpClient(
            connect_timeout=settings.PROVIDER_CONNECT_TIMEOUT,
            read_timeout=settings.PROVIDER_READ_TIMEOUT,
            deadline=settings.PROVIDER_DEADLINE,
            max_response=MAX_RESPONSE,
        )

    def ask(self, path: str, key: str, **body: Any) -> Outcome:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._outcome(self._send("POST", path, headers=headers, content=json.dumps(body).encode()))

    def lookup(self, key: str) -> Outcome:
        """What became of the request with this key. That it has not come yet does not mean that it never will."""
        answer = self._send("GET", f"requests/{quote(key, safe='')}")
        return Unknown("not answered yet") if answer.status == 404 else self._outcome(answer)

    def ledger(self) -> dict[str, int]:
        """What the provider says is left of each charge or parcel, by the key that asked for it; read page by page."""
        path = f"/ledger/{urlsplit(self.url).path.strip('/')}"
        left: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            answer = self._send("GET", f"{path}?after={quote(after, safe='')}")
            if answer.status != 200:
                raise OutcomeUnknown(f"HTTP {answer.status}")
            page = json.loads(answer.content)
            left.update(page["left"])
            after = page["next"]
        return left

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Response:
        """Raises ProviderUnavailable if nothing was sent, and OutcomeUnknown if there is no response to be read."""
        try:
            response = self.client.request(method, urljoin(self.url, path), headers or {}, content)
        except NOT_SENT as error:
            raise ProviderUnavailable(f"{type(error).__name__}: {error}") from error
        except NO_RESPONSE as error:
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
        if response.encoding != "identity":
            raise OutcomeUnknown(f"HTTP {response.status}, compressed though that was not accepted")
        return response

    def _outcome(self, answer: Response) -> Outcome:
        match answer.status, _content(answer):
            case 200, {"reference": str(reference)}:
                return Accepted(reference)
            case 402, {"code": str(code), "detail": str(detail)}:
                return Refused(self.refusal(detail, reason=code))
            case 503, {"code": "not_taken"}:
                raise ProviderUnavailable("HTTP 503, not taken")
            case status, _ if status in MISTAKES:
                raise ProviderMisused(f"HTTP {status}: {answer.content.decode(errors='replace')[:SHOWN]}")
        raise OutcomeUnknown(f"HTTP {answer.status}")


def _content(answer: Response) -> Any:
    """Returns the JSON of the response; None if it has none, or is nested too deeply to be read."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
