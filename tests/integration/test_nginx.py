"""The edge: what nginx answers itself, what it passes on, and what it never sends twice."""

import json
import re
import socket
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from cloudmart.api.problems import problem
from cloudmart.deploy.local import shop
from cloudmart.deploy.local.ports import free_ports
from cloudmart.deploy.local.templates import write_nginx
from tests.processes import listens, wait_until

pytestmark = pytest.mark.any_database

PORTS = free_ports()
IN_DOUBT = "No server has answered. The request may or may not have been carried out."


class Server:
    """A web server that notes each request, and hangs up before its response if it is broken."""

    def __init__(self, is_broken):
        self.requests, self.response, server = [], b"{}", self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.requests.append((self.command, dict(self.headers), body))
                if is_broken:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(server.response)))
                self.end_headers()
                self.wfile.write(server.response)

            def do_GET(self):
                self.do_POST()

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@contextmanager
def servers(*broken):
    started = [Server(is_broken) for is_broken in broken]
    try:
        yield started
    finally:
        for server in started:
            server.http.shutdown()
            server.http.server_close()


@pytest.fixture
def edge(tmp_path):
    """Starts nginx before these ports, and returns `send` to its port."""
    started = []

    def start(*ports):
        port = next(PORTS)
        (tmp_path / "logs").mkdir()
        nginx = shop.nginx(write_nginx(tmp_path / "nginx", port, ports), port)
        nginx.start(tmp_path)
        started.append(nginx)
        wait_until(lambda: listens(port))
        return partial(send, port)

    yield start
    for nginx in started:
        nginx.ask_to_stop()
        nginx.process.wait()


def send(port, method, path, body=None, **headers):
    """Sends one request, and returns the response with its JSON."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return SimpleNamespace(status=response.status, headers=response.headers, json=json.loads(response.read()))
    finally:
        connection.close()


def is_problem(response, code, detail="", retry_after=None):
    """Returns True if the response is what the shop itself says for this code."""
    expected = problem(code, detail)
    return (
        response.status == expected["status"]
        and response.headers["Content-Type"] == "application/problem+json"
        and response.headers["Retry-After"] == (retry_after or expected["headers"].get("Retry-After"))
        and response.json == {**expected["data"], "request_id": response.headers["X-Request-ID"]}
    )


def test_a_post_without_a_key_is_never_sent_twice(edge):
    with servers(True, True) as (one, other):
        response = edge(one.port, other.port)("POST", "/orders", "{}")
        assert is_problem(response, "busy", IN_DOUBT)
        assert len(one.requests + other.requests) == 1


def test_a_post_with_a_key_goes_on_to_the_next_server(edge):
    with servers(True, False) as (broken, other):
        request = edge(broken.port, other.port)
        while not broken.requests:
            assert request("POST", "/orders", "{}", Idempotency_Key="k-1").status == 200
        assert other.requests[-1][2] == broken.requests[-1][2] == b"{}"
        assert other.requests[-1][1]["Idempotency-Key"] == "k-1"


def test_a_post_that_no_server_has_received_goes_on_without_a_key(edge):
    with servers(False) as (working,):
        request = edge(next(PORTS), working.port)
        assert [request("POST", "/orders", "{}").status for _ in range(4)] == [200] * 4
        assert len(working.requests) == 4


def test_a_get_goes_on_to_the_next_server(edge):
    with servers(True, False) as (broken, working):
        request = edge(broken.port, working.port)
        while not broken.requests:
            assert request("GET", "/orders").status == 200


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "k-1"}])
def test_without_any_server_the_response_is_a_problem(edge, headers):
    assert is_problem(edge(next(PORTS))("POST", "/orders", "{}", **headers), "busy", IN_DOUBT)


def test_the_server_receives_the_address_of_the_client_and_the_id_of_the_request(edge):
    with servers(False) as (server,):
        edge(server.port)(
            "GET", "/orders", X_Request_ID="abc.1", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https"
        )
        ((_, headers, _),) = server.requests
        assert headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1", "TRUSTED_PROXIES=1 reads the last one only"
        assert (headers["X-Forwarded-Proto"], headers["X-Request-ID"]) == ("http", "abc.1")
        assert re.fullmatch(r"127\.0\.0\.1:\d+", headers["Host"])


def test_the_scheme_and_address_of_a_client_are_taken_from_a_known_proxy_only(edge, monkeypatch):
    monkeypatch.setenv("NGINX_PROXY", "127.0.0.0/8")
    with servers(False) as (server,):
        edge(server.port)("GET", "/orders", X_Forwarded_For="192.0.2.1, 192.0.2.2", X_Forwarded_Proto="https")
        ((_, headers, _),) = server.requests
        assert headers["X-Forwarded-For"].endswith(", 192.0.2.2"), "TRUSTED_PROXIES=1 reads the last one only"
        assert headers["X-Forwarded-Proto"] == "https"


def test_a_probe_of_nginx_need_not_know_its_name(edge):
    with servers(False) as (server,):
        request = edge(server.port)
        assert request("GET", "/healthz", Host="10.0.0.1").status == 200
        assert request("GET", "/orders", Host="10.0.0.1").status == 400


def test_a_slow_client_gets_all_of_a_large_response(edge):
    with servers(False) as (server,), socket.socket() as client:
        port = edge(server.port).args[0]
        server.response = b"x" * 10_000_000
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /orders HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert sum(map(len, iter(lambda: client.recv(65_536), b""))) > len(server.response)


def test_an_odd_request_id_is_replaced(edge):
    response = edge(next(PORTS))("GET", "/orders", X_Request_ID='", "code": "fake')
    assert re.fullmatch("[0-9a-f]{32}", response.json["request_id"])


def test_what_nginx_refuses_is_a_problem(edge, settings):
    with servers(False) as (server,):
        request = edge(server.port)
        size = settings.MAX_BODY_SIZE
        assert is_problem(request("GET", "/metrics"), "not_found")
        assert is_problem(
            request("POST", "/orders", b"x" * (size + 1)), "body_too_large", f"The body may have {size} bytes."
        )
        assert is_problem(request("GET", "/orders", Host="other.example"), "error")
        assert is_problem(request("GET", "/orders?q=" + "x" * 40_000), "error")
        assert is_problem(request("GET", "/orders", X_Big="x" * 40_000), "error")
        assert server.requests == []


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "k-1"}])
def test_one_address_is_slowed_down_but_never_its_probes(edge, monkeypatch, headers):
    monkeypatch.setenv("NGINX_RATE", "1r/m")
    monkeypatch.setenv("NGINX_BURST", "1")
    with servers(False) as (server,):
        request = edge(server.port)
        responses = [request("GET", "/orders", **headers) for _ in range(3)]
        assert [response.status for response in responses[:2]] == [200, 200]
        assert is_problem(responses[2], "throttled", retry_after="1")
        assert request("GET", "/readyz").status == 200


def test_a_client_is_an_ipv4_address_or_an_ipv6_network(edge, monkeypatch):
    monkeypatch.setenv("NGINX_PROXY", "127.0.0.1")
    monkeypatch.setenv("NGINX_RATE", "1r/m")
    monkeypatch.setenv("NGINX_BURST", "1")
    with servers(False) as (server,):
        request = edge(server.port)

        def statuses(*addresses):
            return [request("GET", "/orders", X_Forwarded_For=address).status for address in addresses]

        one_network = [f"2001:db8:0:a::{number}" for number in range(3)]
        assert statuses(*one_network, "2001:db8:0:b::1") == [200, 200, 429, 200]
        assert statuses(*["192.0.2.10"] * 3, "192.0.2.11") == [200, 200, 429, 200]


def test_a_server_that_hangs_gets_few_requests(edge):
    with ThreadPoolExecutor() as pool, servers(False) as (working,), socket.create_server(("127.0.0.1", 0)) as hanging:
        request = edge(hanging.getsockname()[1], working.port)
        arrived = pool.submit(hanging.accept)
        while not arrived.done():
            wait([arrived, pool.submit(request, "GET", "/orders")], return_when=FIRST_COMPLETED)
        with arrived.result()[0]:
            assert [request("GET", "/orders").status for _ in range(8)] == [200] * 8
