"""How a provider is asked over HTTP, and what its answers mean, and its silence.

The protocol is the sandbox's. A bare 503 promises nothing: a proxy says it too, and may have passed the request on. So
a provider counts as unavailable only when no connection came about, or when it says itself that it did nothing.
"""

from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.remote import Accepted, Outcome, OutcomeUnknown, ProviderUnavailable, Refused, Unknown

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
MISTAKES = {400, 401, 403, 404, 405, 413, 415, 422}


class ProviderMisused(Exception):
    """The provider says that the request is wrong. That is a mistake of ours, which no repeat will mend."""


class HttpProvider:
    """A client that the threads of a process share. It asks once: repeating is up to `cloudmart.kernel.remote.ask`."""

    refusal: type[DomainError]
    """What a refusal means to us."""

    def __init__(self, url: str) -> None:
        timeout = httpx.Timeout(settings.PROVIDER_READ_TIMEOUT, connect=settings.PROVIDER_CONNECT_TIMEOUT)
        self.client = httpx.Client(base_url=url, timeout=timeout, trust_env=False)

    def ask(self, path: str, key: str, **body: Any) -> Outcome:
        return self._outcome(self._send("POST", path, json=body, headers={"Idempotency-Key": key}))

    def lookup(self, key: str) -> Outcome:
        """What became of the request with this key. That it has not come yet does not mean that it never will."""
        answer = self._send("GET", f"requests/{quote(key, safe='')}")
        return Unknown("not answered yet") if answer.status_code == 404 else self._outcome(answer)

    def ledger(self) -> dict[str, int]:
        """What the provider says is left of each charge or parcel, by the key that asked for it; read page by page."""
        url = str(self.client.base_url.join(f"/ledger/{self.client.base_url.path.strip('/')}"))
        left: dict[str, int] = {}
        after: str | None = ""
        while after is not None:
            page = self._send("GET", url, params={"after": after}).raise_for_status().json()
            left.update(page["left"])
            after = page["next"]
        return left

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self.client.request(method, path, **content)
        except httpx.UnsupportedProtocol:  # no URL of a provider
            raise
        except NOT_SENT as error:
            raise ProviderUnavailable(f"{type(error).__name__}: {error}") from error
        except httpx.RequestError as error:
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error

    def _outcome(self, answer: httpx.Response) -> Outcome:
        match answer.status_code, _content(answer):
            case 200, {"reference": str(reference)}:
                return Accepted(reference)
            case 402, {"code": str(code), "detail": str(detail)}:
                return Refused(self.refusal(detail, reason=code))
            case 503, {"code": "not_taken"}:
                raise ProviderUnavailable("HTTP 503, not taken")
            case status, _ if status in MISTAKES:
                raise ProviderMisused(f"HTTP {status}: {answer.text}")
        raise OutcomeUnknown(f"HTTP {answer.status_code}")


def _content(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
