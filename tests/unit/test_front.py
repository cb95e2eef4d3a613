"""The front, called with ASGI messages."""

import asyncio
import json
import os
from collections.abc import Iterable
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from cloudmart.api.long_polling import LONG_POLL
from cloudmart.front import Front, Limits, environ_of
from cloudmart.watcher import Watcher
from tests.processes import TIMEOUT

pytestmark = pytest.mark.any_database

GENEROUS = {
    "threads": 1,
    "body_size": 10,
    "small_body": 2,
    "bodies_size": 100,
    "body_time": 60,
    "queue_time": 60,
    "probe_time": 60,
    "unread_time": 60,
}


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Responds with the body and its CONTENT_LENGTH."""
    start_response("200 OK", [("X-Length", environ["CONTENT_LENGTH"])])
    return [environ["wsgi.input"].read()]


def front(application: Any = echo, **limits: Any) -> Front:
    watcher = limits.pop("watcher", Watcher(lambda orders: set(), 10))
    return Front(application, Limits(**{**GENEROUS, **limits}), watcher)


def scope(path: str = "/", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "headers": headers,
    }


async def messages_from(app: Front, *messages: dict[str, Any], **request: Any) -> list[dict[str, Any]]:
    """Returns what the app sends to a client from which only these messages come."""
    incoming, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(request.get("scope") or scope(), receive, send)
    return sent


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def problem_in(sent: list[dict[str, Any]]) -> tuple[int, str]:
    return sent[0]["status"], json.loads(sent[1]["body"])["code"]


def test_a_body_in_parts_is_joined():
    start, body = asyncio.run(messages_from(front(), part(b"one", more=True), part(b"two")))
    assert (start["status"], start["headers"], body["body"]) == (200, [(b"x-length", b"6")], b"onetwo")


def test_a_body_that_is_too_long_is_not_read_further():
    unread = part(b"unread")
    sent = asyncio.run(messages_from(front(), part(b"x" * 8, more=True), part(b"x" * 8, more=True), unread))
    assert sent[0]["headers"] == [(b"x-length", b"16")], "the application sees that it is too long"
    announced = scope("/", (b"content-length", b"11"))
    sent = asyncio.run(messages_from(front(), unread, scope=announced))
    assert sent[0]["headers"] == [(b"x-length", b"11")] and sent[1]["body"] == b""


def test_a_body_that_does_not_arrive_in_time_is_408():
    unfinished = messages_from(front(body_time=0), part(b"x", more=True))
    sent = asyncio.run(asyncio.wait_for(unfinished, TIMEOUT))
    assert problem_in(sent) == (408, "request_timeout")
    assert (b"cache-control", b"no-store") in sent[0]["headers"]


def test_the_front_responds_in_the_case_that_the_client_asks_for():
    for accept, name in ((b"application/json; case=camel", "requestId"), (b"application/json", "request_id")):
        request = scope("/", (b"accept", accept))
        sent = asyncio.run(messages_from(front(body_time=0), part(b"x", more=True), scope=request))
        assert problem_in(sent) == (408, "request_timeout") and name in json.loads(sent[1]["body"])


def test_bodies_beyond_the_total_limit_are_rejected_until_others_are_done():
    async def fill() -> None:
        app = front(bodies_size=11)
        waiting = asyncio.create_task(messages_from(app, part(b"x" * 9, more=True)))
        await asyncio.sleep(0)
        assert problem_in(await messages_from(app, part(b"x" * 9))) == (503, "busy")
        assert (await messages_from(app, part(b"x" * 6)))[0]["status"] == 200, "only the part beyond small_body counts"
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await messages_from(app, part(b"x" * 9)))[0]["status"] == 200

    asyncio.run(fill())


def test_a_small_body_is_received_at_the_total_limit():
    async def fill() -> None:
        app = front(bodies_size=7)
        waiting = asyncio.create_task(messages_from(app, part(b"x" * 9, more=True)))
        await asyncio.sleep(0)
        assert problem_in(await messages_from(app, part(b"xxx"))) == (503, "busy")
        assert (await messages_from(app, part(b"x", more=True), part(b"x")))[0]["status"] == 200
        waiting.cancel()

    asyncio.run(fill())


def test_nothing_is_sent_to_a_client_that_has_disconnected():
    assert asyncio.run(messages_from(front(), part(b"x", more=True), {"type": "http.disconnect"})) == []


def test_a_request_waits_for_a_thread_for_a_limited_time_and_a_probe_not_at_all():
    release = Event()

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            release.wait()
        start_response("200 OK", [])
        return [b""]

    async def crowd() -> None:
        app = front(slow, queue_time=0)
        first = asyncio.create_task(messages_from(app, part(b""), scope=scope("/slow")))
        await asyncio.sleep(0)
        try:
            assert problem_in(await messages_from(app, part(b""), scope=scope("/next"))) == (503, "busy")
            assert (await messages_from(app, scope=scope("/healthz")))[0]["status"] == 200
            assert (await messages_from(app, scope=scope("/readyz")))[0]["status"] == 200
        finally:
            release.set()
        assert (await first)[0]["status"] == 200

    asyncio.run(crowd())


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_that_takes_too_long_is_503(path):
    release = Event()

    def stuck(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        release.wait()
        start_response("200 OK", [])
        return [b""]

    async def probe() -> None:
        try:
            hanging = messages_from(front(stuck, probe_time=0), scope=scope(path))
            assert problem_in(await asyncio.wait_for(hanging, TIMEOUT)) == (503, "busy")
        finally:
            release.set()

    asyncio.run(probe())


def test_a_header_with_an_underscore_is_dropped_and_repeated_ones_are_joined():
    headers = (b"x_forwarded_for", b"6.6.6.6"), (b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2")
    assert (
        environ_of(scope("/日本", *headers)).items()
        >= {
            "HTTP_X_FORWARDED_FOR": "1.1.1.1,2.2.2.2",
            "PATH_INFO": "/日本".encode().decode("latin-1"),
        }.items()
    )


def test_the_front_leaves_no_file_open():
    asyncio.run(messages_from(front(), part(b"")))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        asyncio.run(messages_from(front(), part(b"")))
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_applications_response_is_closed():
    closed = []

    class Response(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Response([b"a", b"b"])

    assert asyncio.run(messages_from(front(application), part(b"")))[1]["body"] == b"ab"
    assert closed


ORDER = UUID(int=1)


class Desk:
    """An application that has each request wait once, for an hour, and a Watcher of its order."""

    def __init__(self, limit: int = 100, seconds: float = 3600) -> None:
        self.runs, self.seconds, self.unfinished = 0, seconds, {ORDER}
        self.watcher = Watcher(lambda orders: orders & self.unfinished, limit, interval=0.001)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.runs += 1
        poll = environ.get(LONG_POLL)
        if poll and poll.waited is None and environ["PATH_INFO"] == "/wait":
            poll.order_id, poll.seconds = ORDER, self.seconds
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(), b" waited" if poll and poll.waited is not None else b""]

    async def until_waiting(self, clients: int) -> None:
        while self.watcher.waiting < clients:
            await asyncio.sleep(0)


WAITING = scope("/wait")


async def within_time(work: Any) -> Any:
    return await asyncio.wait_for(work, TIMEOUT)


def test_a_request_waits_for_its_order_and_then_runs_again_with_its_body():
    async def wait() -> None:
        desk = Desk()
        client = asyncio.create_task(messages_from(front(desk, watcher=desk.watcher), part(b"body"), scope=WAITING))
        await within_time(desk.until_waiting(1))
        assert desk.runs == 1
        desk.unfinished.clear()
        assert (await within_time(client))[1]["body"] == b"body waited"
        assert desk.runs == 2 and desk.watcher.waiting == 0
        desk.watcher.stop()

    asyncio.run(wait())


def test_a_request_waits_no_longer_than_it_has_time():
    desk = Desk(seconds=0)
    sent = asyncio.run(within_time(messages_from(front(desk, watcher=desk.watcher), part(b""), scope=WAITING)))
    assert sent[1]["body"] == b" waited"
    desk.watcher.stop()


def test_fifty_waiting_clients_delay_no_other_request():
    async def crowd() -> None:
        desk = Desk()
        app = front(desk, watcher=desk.watcher, threads=1, queue_time=TIMEOUT)
        waiting = [asyncio.create_task(messages_from(app, part(b""), scope=WAITING)) for _ in range(50)]
        await within_time(desk.until_waiting(50))
        assert (await within_time(messages_from(app, part(b"other"))))[1]["body"] == b"other"
        desk.unfinished.clear()
        assert all(sent[1]["body"] == b" waited" for sent in await within_time(asyncio.gather(*waiting)))
        desk.watcher.stop()

    asyncio.run(crowd())


def test_beyond_the_limit_no_request_waits():
    async def crowd() -> None:
        desk = Desk(limit=1)
        app = front(desk, watcher=desk.watcher)
        first = asyncio.create_task(messages_from(app, part(b""), scope=WAITING))
        await within_time(desk.until_waiting(1))
        assert (await within_time(messages_from(app, part(b"at once"), scope=WAITING)))[1]["body"] == b"at once"
        desk.unfinished.clear()
        assert (await within_time(first))[1]["body"] == b" waited"
        desk.watcher.stop()

    asyncio.run(crowd())


def test_a_client_that_disconnects_waits_no_longer():
    async def leave() -> None:
        desk = Desk()
        gone = {"type": "http.disconnect"}
        app = front(desk, watcher=desk.watcher)
        assert await within_time(messages_from(app, part(b""), gone, scope=WAITING)) == []
        assert desk.runs == 1 and desk.watcher.waiting == 0
        desk.watcher.stop()

    asyncio.run(leave())


def test_clients_that_wait_are_answered_when_the_process_ends():
    async def end() -> None:
        desk = Desk()
        app = front(desk, watcher=desk.watcher)
        client = asyncio.create_task(messages_from(app, part(b""), scope=WAITING))
        await within_time(desk.until_waiting(1))
        desk.watcher.stop()
        assert (await within_time(client))[1]["body"] == b" waited"
        assert (await within_time(messages_from(app, part(b"late"), scope=WAITING)))[1]["body"] == b"late"

    asyncio.run(end())


def test_no_header_is_taken_for_the_message_of_the_front():
    names = (LONG_POLL.encode(), LONG_POLL.replace("_", "-").encode())
    assert LONG_POLL not in environ_of(scope("/", *((name, b"{}") for name in names)))
