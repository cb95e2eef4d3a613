"""Connections of webhooks: to addresses that were checked, over TLS with the name that was asked for."""

import socket
import ssl
import subprocess
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from time import monotonic

import httpcore
import pytest

from cloudmart.database.clock import database_now
from cloudmart.providers.http_client import HttpClient
from cloudmart.webhooks.models import WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.secrets import new_secret
from cloudmart.webhooks.sending import Client
from tests.raw_server import raw_server, response
from tests.receivers import running_receiver

HOST = "hooks.example.com"


class Accepting(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for HOST that signs itself, and its key, as files."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2"]
    subprocess.run([*command, *names, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture
def https_port(certificate):
    """The port of an HTTPS server with that certificate."""
    server = HTTPServer(("127.0.0.1", 0), Accepting)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def client(certificate=None, deadline=5, **options):
    trust = ssl.create_default_context(cafile=certificate[0]) if certificate else None
    limits = {"connect_timeout": 5, "read_timeout": 5, "deadline": deadline, "max_response": 65536}
    http = HttpClient(ssl_context=trust, **limits, **options)
    try:
        yield http
    finally:
        http.close()


@pytest.fixture
def no_resolver(monkeypatch):
    """Has the system's resolver know numeric addresses only."""
    original = socket.getaddrinfo

    def numeric(host, port, *args, **kwargs):
        assert not host.rstrip("0123456789.").strip(), f"{host} was resolved a second time"
        return original(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", numeric)


def test_the_connection_goes_to_the_checked_address_and_tls_verifies_the_name(certificate, https_port, no_resolver):
    with client(certificate, resolve=lambda host, port: ["127.0.0.1"]) as http:
        assert http.request("POST", f"https://{HOST}:{https_port}/", {}, b"{}").status == 204
        with pytest.raises(httpcore.ConnectError, match="not valid for 'other"):
            http.request("POST", f"https://other.example.com:{https_port}/", {}, b"{}")


def test_a_certificate_that_nobody_trusts_is_refused(https_port):
    with (
        client(resolve=lambda host, port: ["127.0.0.1"]) as http,
        pytest.raises(httpcore.ConnectError, match="self-signed certificate"),
    ):
        http.request("POST", f"https://{HOST}:{https_port}/", {}, b"{}")


@pytest.fixture
def send(db):
    """Sends a webhook to this URL, and returns how that has ended."""
    client = Client()

    def send(url):
        endpoint = WebhookEndpoint(url=url, secret=new_secret())
        return client.send(endpoint, WebhookDelivery(body="{}"), database_now())

    yield send
    client.close()


@pytest.fixture
def resolved(monkeypatch):
    """Has the system's resolver return the next of these lists of addresses for each connection."""

    def resolved(*answers):
        remaining = iter(answers)

        def getaddrinfo(host, port, *args, **kwargs):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in next(remaining)]

        monkeypatch.setattr("cloudmart.providers.http_client.socket.getaddrinfo", getaddrinfo)

    return resolved


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["::1"]])
def test_in_production_no_connection_is_opened_to_a_name_with_a_private_address(settings, send, resolved, addresses):
    settings.WEBHOOK_PRIVATE_ADDRESSES = False
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resolved(addresses)
        answer = send(f"https://{HOST}:{listener.getsockname()[1]}/")
        assert answer.error.startswith("AddressRefused") and answer.status_code is None
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_each_connection_is_checked(settings, send, resolved, tmp_path):
    """A name server that says something else the second time gains nothing."""
    with running_receiver(tmp_path) as receiver:
        settings.WEBHOOK_PRIVATE_ADDRESSES = True
        receiver.behave("close")
        send(receiver.url())
        settings.WEBHOOK_PRIVATE_ADDRESSES = False
        assert send(receiver.url()).error.startswith("InvalidEndpoint"), "the URL is checked again, too"
        resolved(["127.0.0.1"])
        assert send(f"https://{HOST}:{receiver.port}/").error.startswith("AddressRefused")
        assert len(receiver.received()) == 1


def test_a_resolver_that_does_not_respond_takes_no_longer_than_the_deadline():
    has_ended = Event()

    def resolve(host, port):
        has_ended.wait(30)
        return []

    with client(deadline=0.2, resolve=resolve) as http, pytest.raises(httpcore.ConnectTimeout, match="not resolved"):
        http.request("POST", f"https://{HOST}/", {}, b"{}")
    has_ended.set()


@contextmanager
def slow_reader():
    """The port of a server that reads a request in small pieces, with pauses, until the client disconnects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def read():
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                while connection.recv(1024):
                    has_ended.wait(0.05)

        has_ended = Event()
        thread = Thread(target=read)
        thread.start()
        yield listener.getsockname()[1]
        has_ended.set()
        thread.join()


def test_a_server_that_reads_slowly_takes_no_longer_than_the_deadline():
    with slow_reader() as port, client(deadline=0.5) as http:
        began = monotonic()
        with pytest.raises(httpcore.WriteTimeout):
            http.request("POST", f"http://127.0.0.1:{port}/", {}, b"x" * 10_000_000)
        assert monotonic() - began < 2


def disconnect():
    """Has a raw server close the connection instead of a response."""
    raise ConnectionError
    yield


@pytest.fixture
def forgetful():
    """A server that closes a connection when the second request has arrived on it, and responds to all others."""
    responses = iter([[response(b"1")], disconnect(), [response(b"2")], [response(b"3")]])
    with raw_server(lambda: next(responses)) as server:
        yield server


def test_a_webhook_is_sent_once_more_if_its_connection_was_closed_meanwhile(settings, send, forgetful):
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    assert [send(forgetful.url).response for _ in range(3)] == ["1", "2", "3"]
    assert (len(forgetful.requests), forgetful.connections) == (4, 2)


def test_a_request_that_may_not_be_repeated_is_sent_once(forgetful):
    with client() as http:
        http.request("POST", forgetful.url, {}, b"{}")
        with pytest.raises(httpcore.RemoteProtocolError):
            http.request("POST", forgetful.url, {}, b"{}")
    assert len(forgetful.requests) == 2


def test_a_new_connection_that_is_closed_is_a_failure(settings, send):
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    with raw_server(disconnect) as server:
        assert send(server.url).error.startswith("RemoteProtocolError")
        assert len(server.requests) == 1
