"""The rate of a client over a sliding window."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

from cloudmart.api.counting import CacheUnavailable, count_request
from cloudmart.api.throttling import SlidingWindow

pytestmark = pytest.mark.any_database

KEY, START = "somebody", 600


@pytest.fixture(params=["local memory", "Redis"])
def throttle(request):
    """A throttle whose rate and time are set by the test."""
    if request.param == "Redis":
        request.getfixturevalue("redis_cache")

    class Throttle(SlidingWindow):
        rate, at = "6/min", 0.0

        def time_of_request(self):
            return START + self.at

        def get_cache_key(self, request, view):
            return KEY

    cache.clear()
    return Throttle


@pytest.fixture
def request_at(throttle):
    """Sends a request at this second. Returns 0, or the seconds to wait."""

    def request_at(now):
        throttle.at = now
        present = throttle()
        return 0 if present.allow_request(SimpleNamespace(META={}), None) else present.wait()

    return request_at


@pytest.fixture
def allowed(request_at):
    """Sends so many requests. Returns how many are allowed."""
    return lambda number, at: sum(request_at(at) == 0 for _ in range(number))


def test_the_rate_is_allowed_at_once_and_no_more(allowed):
    assert allowed(10, at=0) == 6


def test_regular_requests_below_the_rate_are_always_allowed(request_at):
    assert [request_at(second) for second in range(0, 600, 12)] == [0] * 50


def test_the_end_of_a_period_allows_no_burst(allowed):
    assert allowed(6, at=59) == 6
    assert allowed(6, at=61) == 0


def test_a_rejected_request_is_not_counted(allowed):
    assert allowed(100, at=0) == 6
    assert allowed(100, at=120) == 6


@pytest.mark.parametrize("at", [0, 30, 59])
def test_a_request_is_allowed_after_the_wait_and_not_before(allowed, request_at, at):
    allowed(6, at)
    wait = request_at(at)
    assert wait == pytest.approx(70 - at)
    assert request_at(at + wait - 0.1) == pytest.approx(0.1)
    assert request_at(at + wait + 0.1) == 0


def test_requests_of_the_previous_period_count_less_and_less(allowed, request_at):
    allowed(6, at=30)
    assert allowed(6, at=90) == 3
    assert request_at(90) == pytest.approx(10)
    assert request_at(100.1) == 0


def test_a_rate_of_zero_allows_nothing(throttle, request_at):
    throttle.rate = "0/min"
    assert request_at(0) >= 60


@pytest.mark.parametrize("throttle", ["local memory"], indirect=True)
def test_two_numbers_are_stored_whatever_the_rate(throttle, allowed):
    throttle.rate = "1000000/min"
    assert allowed(300, at=0) == allowed(300, at=60) == 300
    assert [cache.get(f"{KEY}_{period}") for period in (10, 11)] == [300, 300]


def test_no_concurrent_request_escapes_the_count(request_at):
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(request_at, [0] * 200)).count(0) == 6


def test_a_count_that_expires_between_two_operations_starts_again():
    class Forgetful(LocMemCache):
        def add(self, *arguments):
            added = super().add(*arguments)
            return added if self.forgets.pop(0) else bool(self.clear())

    forgetful = Forgetful("forgetful", {})
    forgetful.forgets = [False, True]
    assert count_request(forgetful, KEY, 6, 60)[1] == 1
    forgetful.forgets = [False] * 3
    with pytest.raises(CacheUnavailable):
        count_request(forgetful, KEY, 6, 60)
