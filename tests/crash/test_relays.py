"""Whatever dies while events leave the shop, each consumer has every event of an order in the end, in order.

A relay is a worker that passes events on to the mail and the webhooks, sends webhooks, and publishes to the streams.
CRASH_SAMPLE and CRASH_SEED are as in `test_crashes.py`.
"""

import signal

import pytest
from django.db import connection

from sagas.streams import publisher as publishing
from tests.crash.boundaries import COMMIT, MAIL, STREAM, WEBHOOK, Interruption, Process, run
from tests.crash.conftest import each, noting, relay, some
from tests.crash.stories import HAPPY, SENT_BACK
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT

OPERATIONS = (MAIL, WEBHOOK, STREAM)


def finished(shop, story):
    """Returns an order of the story that is finished, and of which no consumer has heard."""
    attempt = shop.begin(story)
    attempt.interrupt()
    return attempt


@pytest.fixture
def boundaries(shop):
    """Returns the boundaries of a relay of a story's events, and has checked that it relays all of them."""

    def boundaries(story):
        first = finished(shop, story)
        first.recover()  # creates the rows of the consumers
        first.check(story.end)
        attempt = finished(shop, story)
        passed = run(relay).passed
        attempt.check(story.end)
        assert {f"after {operation}" for operation in OPERATIONS} <= set(passed)
        return passed

    return boundaries


@known_bug("docs.particular.net#1816", "MassTransit#3791")
@each([HAPPY, SENT_BACK])
def test_what_a_killed_relay_has_left_another_one_relays(shop, story, boundaries, count):
    passed = boundaries(story)
    for at in some(range(1, len(passed) + 1), "relay", shop.style, story.name):
        count(passed)
        attempt = finished(shop, story)
        killed = run(relay, Interruption(at))
        assert not killed.survived and killed.passed == passed[:at]
        with noting(f"boundary {at}, {passed[at - 1]}"):
            attempt.recover()
            attempt.check(story.end, repeated=killed.unstored)
            webhooks, published = shop.consumers.repetitions(attempt.order_id)
            assert webhooks == killed.unstored[WEBHOOK]
            assert (published > 0) == (STREAM in killed.unstored)


@each([SENT_BACK])
def test_a_stopped_relay_that_continues_after_another_one_disturbs_nothing(shop, story, boundaries, count):
    passed = boundaries(story)
    without_lock = [at for at, boundary in enumerate(passed, 1) if boundary != f"before {COMMIT}"]
    for at in some(without_lock, "stopped relay", shop.style, story.name):
        count(passed)
        attempt = finished(shop, story)
        with (
            noting(f"stopping at {at}, {passed[at - 1]}"),
            Process(relay, Interruption(at, signal.SIGSTOP)) as stopped,
        ):
            assert stopped.wait_until_stopped()
            attempt.recover()
            attempt.check(story.end, repeated=OPERATIONS)
            stopped.resume()
            assert stopped.end().survived
            relay()
            reads_again = passed[at - 1] == f"after {COMMIT}"
            attempt.check(story.end, repeated=() if reads_again else OPERATIONS)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@each([SENT_BACK])
def test_a_relay_that_is_stopped_in_a_transaction_delays_no_order(shop, story, boundaries, count):
    passed = boundaries(story)
    before_commit = [at for at, boundary in enumerate(passed, 1) if boundary == f"before {COMMIT}"]
    for at in some(before_commit, "locking relay", shop.style, story.name):
        count(passed)
        order_id = finished(shop, story).order_id
        with noting(f"stopping at {at}"), Process(relay, Interruption(at, signal.SIGSTOP)) as stopped:
            assert stopped.wait_until_stopped()
            attempt = finished(shop, story)
            assert attempt.end() == story.end, "it needs no row that the relay has locked"
        attempt.recover()
        attempt.check(story.end, repeated=OPERATIONS)
        shop.consumers.check(order_id, {"completed", "returned"})


@pytest.mark.parametrize(("death", "repeated"), [("die_before", 1), ("die_within", 1), ("die_after", 0)])
def test_a_receiver_that_dies_around_its_response_has_every_event_in_the_end(shop, death, repeated):
    receiver = shop.consumers.receiver
    attempt = finished(shop, SENT_BACK)
    receiver.behave(death)
    relay()
    assert receiver.process.wait(TIMEOUT) == -signal.SIGKILL
    relay()
    receiver.behave("accept")
    receiver.start()
    attempt.recover()
    attempt.check(SENT_BACK.end, repeated=[WEBHOOK])
    assert shop.consumers.repetitions(attempt.order_id) == (repeated, 0)


def test_a_receiver_that_is_dead_for_a_while_has_every_event_in_the_end(shop):
    shop.consumers.receiver.kill()
    attempt = finished(shop, SENT_BACK)
    relay()
    shop.consumers.receiver.start()
    attempt.recover()
    attempt.check(SENT_BACK.end)


@each([SENT_BACK])
def test_whenever_redis_is_killed_its_streams_have_every_event_in_the_end(shop, story, boundaries, count, monkeypatch):
    monkeypatch.setattr(publishing, "BATCH", 1)
    passed = boundaries(story)
    around = [at for at, boundary in enumerate(passed, 1) if boundary.endswith(STREAM)]
    assert len(around) > 2, "there are several batches"
    for at in some(around, "redis", shop.style, story.name):
        count(passed)
        attempt = finished(shop, story)
        with (
            noting(f"Redis at {at}, {passed[at - 1]}"),
            Process(relay, Interruption(at, signal.SIGSTOP)) as relaying,
        ):
            assert relaying.wait_until_stopped()
            shop.consumers.redis.kill()
            relaying.resume()
            assert relaying.end().survived
            shop.consumers.redis.start()
            attempt.recover()
            attempt.check(story.end)
