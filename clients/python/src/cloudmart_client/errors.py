"""What the client raises. Each problem of the API has a class of its own, in `problems`."""

from collections.abc import Mapping
from typing import Any, ClassVar

from cloudmart_client.decoding import decode
from cloudmart_client.models import FieldError


class CloudMartError(Exception):
    """The base of all errors of the client."""


class ConnectionFailed(CloudMartError):
    """The server did not respond, however often it was asked.

    A command may have been carried out. Repeat it with the same `idempotency_key`: it is not carried out again.
    """

    def __init__(self, detail: str, idempotency_key: str | None) -> None:
        super().__init__(detail)
        self.idempotency_key = idempotency_key


class UnexpectedResponse(CloudMartError):
    """The response is not the API's: perhaps it is that of a proxy, or the URL is wrong."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}: {body[:200]}")
        self.status = status
        self.body = body


class NotFinished(CloudMartError):
    """The order is still being processed, after as long as was to be waited."""


class InvalidWebhook(CloudMartError):
    """The webhook is not signed with the secret, is too old, or is no event."""


class Problem(CloudMartError):
    """The API has refused the request, or could not carry it out (RFC 9457). `code` says why."""

    code: str = "error"
    _classes: ClassVar[dict[str, type["Problem"]]] = {}

    def __init_subclass__(cls, code: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = code
        Problem._classes[code] = cls

    def __init__(
        self, status: int, body: Mapping[str, Any], retry_after: float | None = None, key: str | None = None
    ) -> None:
        super().__init__(f"{body['detail']} ({body['code']})")
        self.status = status
        self.code = str(body["code"])
        self.detail = str(body["detail"])
        self.advice = str(body.get("advice", ""))
        self.request_id: str | None = body.get("request_id")
        self.order_id: str | None = body.get("order_id")
        self.errors = [decode(FieldError, each) for each in body.get("errors", ())]
        """Which fields are wrong, and how."""
        self.body = body
        """All members, with the details of the code, such as `shortages` of `out_of_stock`."""
        self.retry_after = retry_after
        """The seconds after which the server wants to be asked again."""
        self.idempotency_key = key
        """That of the request. The same key gets the same response, if the problem is final."""

    @classmethod
    def of(cls, status: int, body: Mapping[str, Any], retry_after: float | None, key: str | None) -> "Problem":
        """Returns the error with the class of its code."""
        return cls._classes.get(str(body["code"]), Problem)(status, body, retry_after, key)
