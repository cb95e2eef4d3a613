"""Limits in a real Redis, which several processes share and which may fail in every way."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from django.core.cache import caches
from prometheus_client import REGISTRY
from pybreaker import STATE_CLOSED, STATE_OPEN
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from cloudmart.api.caches import cache_from
from cloudmart.api.counting import CacheUnavailable, count_request
from cloudmart.api.shared_cache import BREAKER
from cloudmart.settings import env
from tests.processes import ROOT, TIMEOUT, isolated, run_python

pytestmark = pytest.mark.any_database

DAY = 24 * 60 * 60
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "cloudmart.settings", "PYTHONPATH": str(ROOT)}


@contextmanager
def full(redis):
    redis.client().config_set("maxmemory", 1)
    try:
        yield
    finally:
        redis.client().config_set("maxmemory", 0)


@contextmanager
def read_only(redis):
    redis.client().replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        redis.client().replicaof("NO", "ONE")


@contextmanager
def gone(redis):
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@contextmanager
def without_scripts(redis):
    redis.client().acl_setuser("default", enabled=True, nopass=True, commands=["-evalsha", "-eval"])
    try:
        yield
    finally:
        redis.client().acl_setuser("default", enabled=True, nopass=True, commands=["+@all"])


FAILURES = {
    "refuses connections": (gone, "ConnectionError"),
    "does not respond": (lambda redis: redis.stopped(), "TimeoutError"),
    "is full": (full, "OutOfMemoryError"),
    "is read-only": (read_only, "ReadOnlyError"),
    "denies the command": (without_scripts, "NoPermissionError"),
}
"""What happens to Redis, and the error that is logged."""


def failures():
    return REGISTRY.get_sample_value("cloudmart_throttle_failures_total")


# --- Exact ----------------------------------------------------------------------------------------


HAMMER = """
import sys, django; django.setup()
from concurrent.futures import ThreadPoolExecutor
from django.core.cache import cache
from cloudmart.api.counting import count_request
sys.stdin.readline()
count = lambda _: count_request(cache, "client", 100, 86400).is_allowed
with ThreadPoolExecutor(4) as threads:
    print(sum(threads.map(count, range(150))))
"""


def test_processes_together_allow_exactly_the_rate(redis_cache, redis):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER],
            cwd=ROOT,
            env=isolated({**ENVIRONMENT, "CACHE_URL": redis.url}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate(timeout=TIMEOUT)[0]) for process in processes) == 100


def test_threads_that_do_not_share_a_connection_allow_exactly_the_rate(redis_cache):
    def count(_):
        return count_request(caches["default"], "client", 100, DAY).is_allowed

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(count, range(400))) == 100


def test_the_clock_is_that_of_redis(redis_cache, redis, monkeypatch):
    """Servers whose clocks differ count in the same period."""
    first = count_request(redis_cache, "client", 2, DAY)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert first.is_allowed and count_request(redis_cache, "client", 2, DAY).is_allowed
    assert not count_request(redis_cache, "client", 2, DAY).is_allowed


def test_one_small_key_is_stored_for_a_client_and_expires(redis_cache, redis):
    for _ in range(10):
        count_request(redis_cache, "client", 1_000_000, 60)
    (key,) = redis.client().keys()
    assert redis.client().hlen(key) == 3
    assert 0 < redis.client().ttl(key) <= 120


def test_a_request_is_counted_in_one_round_trip(redis_cache, redis):
    count_request(redis_cache, "client", 10, 60)
    redis.client().config_resetstat()
    for _ in range(10):
        count_request(redis_cache, "client", 10, 60)
    sent = redis.client().info("commandstats")
    assert sent["cmdstat_evalsha"]["calls"] == 10
    assert "cmdstat_get" not in sent and "cmdstat_expire" in sent, "the script sends the others"


# --- Robust ---------------------------------------------------------------------------------------


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "user", "3/day")
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "anon", "3/day")


@pytest.mark.parametrize(("failure", "error"), FAILURES.values(), ids=FAILURES)
def test_requests_go_on_without_redis(redis_cache, redis, limited, api, lines, failure, error):
    before = failures()
    assert api.get("/orders").status_code == 200
    with failure(redis):
        assert [api.get("/orders").status_code for _ in range(6)] == [200] * 6
    assert failures() == before + 6
    assert BREAKER.current_state == STATE_OPEN
    warnings = [line for line in lines() if line["logger"] == "cloudmart.api.shared_cache"]
    assert [line["level"] for line in warnings] == ["warning"]
    assert error in warnings[0]["event"]


@pytest.mark.parametrize("token", ["", "Bearer nonsense"])
def test_anonymous_requests_are_401_without_redis(redis_cache, redis, limited, db, token):
    client = APIClient(headers={"Authorization": token} if token else {})
    with redis.stopped():
        assert [client.get("/orders").status_code for _ in range(6)] == [401] * 6


def test_limits_hold_again_once_redis_responds(redis_cache, redis, limited, api, monkeypatch):
    monkeypatch.setattr(BREAKER, "reset_timeout", 0)
    with gone(redis):
        assert [api.get("/orders").status_code for _ in range(6)] == [200] * 6
    assert [api.get("/orders").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert BREAKER.current_state == STATE_CLOSED


def test_after_three_failures_no_request_waits_for_a_silent_redis(silent):
    cache, connections = silent
    for _ in range(3):
        assert_unavailable(cache)
    assert connections() == 3, "each was tried once"
    for _ in range(100):
        assert_unavailable(cache)
    assert connections() == 0


def test_no_request_waits_for_the_one_that_tries_whether_redis_is_back(silent_for_long, monkeypatch):
    cache, server = silent_for_long
    BREAKER.open()
    monkeypatch.setattr(BREAKER, "reset_timeout", 0)
    with ThreadPoolExecutor(1) as threads:
        trial = threads.submit(assert_unavailable, cache)
        with server.accept()[0]:
            assert_unavailable(cache)
            assert not trial.done()
        trial.result()


def test_no_request_waits_for_another_one_to_which_redis_has_not_responded(silent_for_long):
    cache, server = silent_for_long
    with ThreadPoolExecutor(2) as threads:
        requests = [threads.submit(assert_unavailable, cache) for _ in range(2)]
        with server.accept()[0], server.accept()[0]:
            assert not any(request.done() for request in requests)
        for request in requests:
            request.result()


@pytest.fixture
def silent_for_long(settings):
    """A cache whose server does not respond until its connection is closed, and that server."""
    BREAKER.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT / 2)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0?socket_timeout={TIMEOUT}"
        settings.CACHES = {"default": cache_from(env.cache_url_config(url))}
        yield caches["default"], server
        caches["default"].disconnect()
        BREAKER.close()


@pytest.fixture
def silent(settings):
    """A cache whose server never responds, and the number of new connections to it."""

    def connections():
        found = 0
        with suppress(BlockingIOError):
            while True:
                server.accept()[0].close()
                found += 1
        return found

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        settings.CACHES = {"default": cache_from(env.cache_url_config(url))}
        BREAKER.close()
        yield caches["default"], connections
        caches["default"].disconnect()
        BREAKER.close()


def assert_unavailable(cache):
    with pytest.raises(CacheUnavailable):
        count_request(cache, "client", 10, 60)


def test_redis_may_forget_the_script(redis_cache, redis):
    count_request(redis_cache, "client", 10, 60)
    redis.client().script_flush()
    assert count_request(redis_cache, "client", 10, 60).present == 2


def test_of_several_servers_in_the_url_the_first_counts_all_requests(redis_cache, redis, settings):
    settings.CACHES = {"default": cache_from(env.cache_url_config(f"redis://127.0.0.1:{redis.port},127.0.0.1:1/0"))}
    for number in range(5):
        assert count_request(caches["default"], f"client{number}", 1, DAY).is_allowed
    assert len(redis.client().keys()) == 5


def test_options_in_the_url_take_precedence(redis_cache, redis, settings):
    settings.CACHES = {"default": cache_from(env.cache_url_config(f"{redis.url}?socket_timeout=2&key_prefix=shop"))}
    count_request(caches["default"], "client", 10, 60)
    assert redis.client().keys() == ["shop:1:client"]
    client = caches["default"]._cache.get_client()
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 2


def test_the_threads_of_a_process_share_its_connections(redis_cache):
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: caches["default"]._cache).result() is redis_cache._cache


LOADS_THE_BREAKER = """
import sys, django; django.setup()
import cloudmart.urls
from django.core.cache import cache
cache.get
print("pybreaker" in sys.modules)
"""


def test_without_redis_its_packages_are_not_imported():
    def output(**env):
        return run_python("-c", LOADS_THE_BREAKER, env={**ENVIRONMENT, **env}).stdout.strip()

    assert output() == "False"
    assert output(CACHE_URL="redis://127.0.0.1:1/0") == "True"
