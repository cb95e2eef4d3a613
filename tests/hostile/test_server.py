"""Clients without a token that send slowly, too much or nothing, and killed processes of the server."""

import os
import resource
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from select import select

import pytest

from benchmarks.processes import resident_memory
from tests.hostile.conftest import servers_under
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, listens, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

SLOW_BODY = (
    b"POST /admin/login/ HTTP/1.1",
    b"Host: localhost",
    b"Cookie: csrftoken=" + b"a" * 32,
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Length: 5000",
    b"",
    b"four",
)
LARGEST_DOCUMENT = b"/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"

LISTENING = "0A"
"""From <net/tcp_states.h>, in the format of /proc."""


def status_of(client: socket.socket) -> bytes:
    """Returns the status of the response on this connection, or b"" if it is closed without a response."""
    return client.recv(65536)[9:12]


def connections_to(port: int) -> int:
    """Returns the number of connections that the server has accepted and not closed; others have no inode."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        address.endswith(f":{port:04X}") and state != LISTENING and inode != "0"
        for _, address, _, state, _, _, _, _, _, inode, *_ in sockets
    )


@known_bug("gunicorn#3518")
def test_slow_bodies_occupy_no_thread(shop):
    with ExitStack() as clients:
        slow = [clients.enter_context(shop.connect(*SLOW_BODY)) for _ in range(24)]
        assert shop.request("GET", "/healthz")[0] == 200
        assert shop.order()[0] == 201
        assert {status_of(client) for client in slow} == {b"408"}


def test_silent_connections_are_closed_and_block_nobody(shop):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as clients:
        silent = [clients.enter_context(shop.connect()) for _ in range(1000)]
        halfway = [clients.enter_context(shop.connect(b"GET / HTTP/1.1", b"Host: loc")) for _ in range(400)]
        assert shop.request("GET", "/healthz")[0] == 200
        assert shop.order()[0] == 201
        for client in [*silent, *halfway]:
            client.settimeout(20)  # ten times REQUEST_HEADER_TIMEOUT
            assert status_of(client) in {b"", b"408"}


def test_connections_beyond_the_limit_wait(open_shop, tmp_path):
    held = set()

    def has_response() -> bool:
        readable, _, _ = select([waiting], [], [], 0)
        held.add(connections_to(shop.port))
        return bool(readable)

    with open_shop(tmp_path, WEB_WORKERS="1", WEB_CONNECTIONS="5") as shop, ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(shop.connect())
        waiting = clients.enter_context(shop.connect(b"GET /healthz HTTP/1.1", b"Host: localhost", b""))
        wait_until(has_response)
        assert status_of(waiting) == b"200"
        assert 5 <= max(held) < 10, "a closing connection may still be counted"


def test_a_client_that_does_not_read_is_dropped(open_shop, tmp_path):
    with open_shop(tmp_path, WEB_WORKERS="1", REQUEST_HEADER_TIMEOUT="60") as shop, ExitStack() as clients:
        assert shop.request("GET", "/healthz")[0] == 200
        for _ in range(5):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", shop.port))
            # more responses than the kernel keeps for a client
            client.sendall(12 * (b"GET " + LARGEST_DOCUMENT + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        wait_until(lambda: connections_to(shop.port) >= 5)
        wait_until(lambda: connections_to(shop.port) == 0)


def test_http_2_is_not_supported(shop):
    with shop.connect(b"PRI * HTTP/2.0", b"", b"SM", b"") as client:
        assert status_of(client) in {b"400", b"505", b""}
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    assert shop.request("GET", "/healthz", **upgrade)[0] == 200


FORM = {"Content-Type": "multipart/form-data; boundary=part"}
FILE = b'--part\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + b"x" * 3_000_000


def uploads_in(folder):
    """Returns every file but those of the metrics, which change when a worker is restarted."""
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"}


@pytest.mark.parametrize("path", ["/admin/login/", "/orders", "/nowhere", "/schema"])
def test_a_large_upload_is_rejected_before_it_is_stored(shop, path):
    files = uploads_in(shop.folder)
    with shop.connect(
        b"POST " + path.encode() + b" HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: multipart/form-data; boundary=part",
        b"Content-Length: 200000000",
        b"",
        b"--part",
    ) as client:
        with suppress(ConnectionError):
            client.sendall(FILE)
        assert status_of(client) == b"413", "the response comes before the whole body"
    assert uploads_in(shop.folder) <= files


def test_the_size_of_a_chunked_body_is_limited(shop):
    files = uploads_in(shop.folder)
    chunk = b"%x\r\n%s\r\n" % (len(FILE), FILE)
    with shop.connect(
        b"POST /admin/login/ HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: multipart/form-data; boundary=part",
        b"Transfer-Encoding: chunked",
        b"",
    ) as client:
        client.settimeout(TIMEOUT)
        with suppress(ConnectionError):
            client.sendall(chunk)
        assert status_of(client) == b"413"
    assert uploads_in(shop.folder) <= files
    order = {"Transfer-Encoding": "chunked", "Authorization": f"Bearer {shop.token}"}
    body = b'{"book_id": "made-up-0000001", "quantity": 1, "payment_method": "e_money"}'
    assert shop.request("POST", "/orders", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), **order)[0] == 201


@known_bug("CVE-2015-0219")
def test_a_header_with_an_underscore_is_not_taken_for_the_proxys(open_shop, tmp_path):
    with open_shop(tmp_path, TRUSTED_PROXIES="1", THROTTLE_STRANGERS="5/min", WEB_WORKERS="1") as shop:
        spoofed = [shop.request("GET", "/orders", X_Forwarded_For=f"10.0.0.{n}")[0] for n in range(10)]
        assert spoofed == [401] * 5 + [429] * 5
        assert shop.request("GET", "/orders", **{"X-Forwarded-For": "10.0.0.1"})[0] == 401


@known_bug("drf-spectacular#1123")
def test_concurrent_requests_for_the_schema_succeed_and_use_little_memory(open_shop, tmp_path):
    def status_of_copy(number: int) -> int:
        return int(shop.request("GET", f"/schema?x={number}")[0])

    with open_shop(tmp_path, WEB_WORKERS="1", REQUEST_QUEUE_TIMEOUT="60", RESPONSE_READ_TIMEOUT="60") as shop:
        (process,) = shop.workers()
        with ThreadPoolExecutor(8) as clients:
            assert set(clients.map(status_of_copy, range(20))) == {200}
            memory = resident_memory(process)
            assert set(clients.map(status_of_copy, range(20, 120))) == {200}
        assert resident_memory(process) < memory + 50


def kill_and_await(victim: int, *others: int) -> None:
    """Kills `victim`, and waits until it and the others have ended."""
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in (victim, *others)))


def test_a_killed_master_leaves_no_orphans_and_is_restarted(shop):
    kill_and_await(shop.master(), *shop.workers())
    wait_until(lambda: listens(shop.port))
    assert shop.order()[0] == 201


def test_a_master_killed_while_a_process_starts_leaves_no_orphan(shop):
    master, workers = shop.master(), shop.workers()
    kill_and_await(min(workers))
    wait_until(lambda: bool(servers_under(master) - workers))
    kill_and_await(master, *workers, *servers_under(master))
    wait_until(lambda: listens(shop.port))
    assert shop.order()[0] == 201


def test_a_master_killed_right_after_its_start_is_restarted(shop):
    for _ in range(2):
        wait_until(lambda: bool(servers_under(shop.pid)))
        kill_and_await(shop.master())
    wait_until(lambda: listens(shop.port))
    assert shop.order()[0] == 201


def test_a_process_that_dies_twice_in_a_row_does_not_end_the_server(shop):
    master, workers = shop.master(), shop.workers()
    kill_and_await(min(workers))
    wait_until(lambda: len(servers_under(master) - workers) == 1)
    (replacement,) = servers_under(master) - workers
    kill_and_await(replacement, master, *workers)
    wait_until(lambda: listens(shop.port))
    assert shop.order()[0] == 201
