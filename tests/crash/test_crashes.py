"""Whenever a process dies, the order ends where it would have ended, or nothing has happened.

CRASH_SAMPLE says at how many boundaries each story is cut short, CRASH_SEED at which; `make crash-test` takes all.
"""

import signal
from contextlib import contextmanager
from functools import partial

import pytest
from django.core.management import call_command

from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.crash.boundaries import COMMIT, Fate, run
from tests.crash.conftest import FIGURES, SEED, Figure, some, time_passes, unfinished
from tests.crash.stories import CANCELLED, HAPPY, LOST, LOST_ONCE, REFUSED, STORIES, UNDONE, WAITING
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, running_command


@contextmanager
def telling(*fates):
    """What fails within is said to have failed after these."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"after {', then '.join(fates)} (CRASH_SEED={SEED})")
        raise


def uncut(shop, story):
    """What a request goes through that nobody kills: its boundaries, and where the order stood before."""
    attempt = shop.begin(story)
    before = attempt.end()
    passed = attempt.cut_short().passed
    attempt.recover()
    attempt.check(story.end)
    return passed, before


@pytest.fixture
def count(request):
    """Says that a story with these boundaries is cut short once more."""
    tried = []
    yield tried.append
    if tried:
        FIGURES.append(Figure(request.node.name, len(tried[0]), len(tried)))


def each(stories):
    return pytest.mark.parametrize("story", stories, ids=lambda story: story.name.replace(" ", "_"))


@known_bug("Django: on_commit")
@each(STORIES)
def test_a_request_is_killed(shop, story, count):
    passed, before = uncut(shop, story)
    for at in some(range(1, len(passed) + 1), shop.style, story.name):
        count(passed)
        with telling(f"boundary {at}, {passed[at - 1]}"):
            attempt = shop.begin(story)
            cut = attempt.cut_short(Fate(at))
            assert not cut.survived and cut.passed == passed[:at]
            attempt.recover()
            if attempt.has_begun(cut):
                attempt.check(story.end, *([UNDONE] if story.may_be_undone else []))
            else:
                attempt.check(before)
            end_of_this = attempt.end() if attempt.has_begun(cut) else story.end
            attempt.repeat()
            attempt.check(end_of_this)


@each([HAPPY, REFUSED, CANCELLED, WAITING])
def test_the_worker_that_recovers_it_is_killed_too(shop, story, count):
    passed, before = uncut(shop, story)
    work = partial(call_command, "run_worker", "--once")
    for at in some(range(1, len(passed) + 1), "worker", shop.style, story.name):
        for then in some(range(1, len(passed) - at + 8), "worker", shop.style, story.name, str(at), of_all=2):
            count(passed)
            attempt = shop.begin(story)
            first = attempt.cut_short(Fate(at))
            time_passes()
            second = run(work, Fate(then))
            with telling(f"boundary {at}, {passed[at - 1]}", f"the worker's {then}, {second.passed[-1:]}"):
                attempt.recover()
                attempt.check(story.end if attempt.has_begun(first) else before)


@each([HAPPY, REFUSED, CANCELLED, LOST_ONCE, LOST])
def test_who_was_taken_for_dead_comes_back(shop, story, count):
    passed, _ = uncut(shop, story)
    open_to_others = [at for at, boundary in enumerate(passed, 1) if boundary != f"before {COMMIT}"]
    for at in some(open_to_others, "back", shop.style, story.name):
        count(passed)
        attempt = shop.begin(story)
        with telling(f"stopping at {at}, {passed[at - 1]}"), attempt.start(Fate(at, signal.SIGSTOP)) as driver:
            assert driver.wait_until_stopped()
            attempt.recover()
            driver.go_on()
            assert driver.end().survived
            attempt.check(story.end)


def test_the_command_recovers_what_was_killed(shop, monkeypatch):
    monkeypatch.setenv("PAYMENT_GATEWAY", HTTP_GATEWAY)
    monkeypatch.setenv("PAYMENT_GATEWAY_URL", f"{shop.outside.url}/payments")
    monkeypatch.setenv("CARRIER", HTTP_CARRIER)
    monkeypatch.setenv("CARRIER_URL", f"{shop.outside.url}/carrier")
    passed, _ = uncut(shop, HAPPY)
    attempt = shop.begin(HAPPY)
    attempt.cut_short(Fate(passed.index("before POST parcels") + 1))
    assert unfinished()
    time_passes()
    with running_command("run_worker", "--once") as worker:
        assert worker.wait(timeout=TIMEOUT) == 0
    attempt.check(HAPPY.end)
