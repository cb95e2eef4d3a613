"""What the parts of the client share: responses as dataclasses, and lists of several pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from cloudmart_client.decoding import decode
from cloudmart_client.errors import UnexpectedResponse
from cloudmart_client.transport import Json, Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    results: list[Any]
    next: str | None = None


class Resource:
    """A part of the client, such as `client.orders`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _get(self, kind: type[T], path: str, query: Json | None = None) -> T:
        return decoded(kind, self._transport.get(path, query))

    def _list(self, kind: type[T], path: str, query: Json) -> Iterator[T]:
        """Yields the items of every page, each of which is asked for when it is needed.

        Of the link to the next page only the query is used: behind a proxy the rest may be wrong.
        """
        while True:
            response = self._transport.get(path, query)
            page = decoded(Page, response)
            yield from (decoded(kind, response, each) for each in page.results)
            if not page.next:
                return
            query = dict(httpx.URL(page.next).params)

    def _command(
        self, kind: type[T], method: str, path: str, body: Json | None, key: str | None, *, respond_async: bool = False
    ) -> T:
        prefer = "respond-async" if respond_async else None
        return decoded(kind, self._transport.command(method, path, body, key=key, prefer=prefer))


def decoded(kind: type[T], response: httpx.Response, part: Any = None) -> T:
    """Returns the response, or a part of its body. Raises UnexpectedResponse if it is not of this kind."""
    try:
        return decode(kind, response.json() if part is None else part)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnexpectedResponse(response.status_code, response.text) from error


def segment(text: Any) -> str:
    """Returns the text as one segment of a path."""
    return quote(str(text), safe="")
