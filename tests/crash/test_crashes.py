"""Whenever a process is killed, the order has the same end as without the crash, or nothing of it is stored.

CRASH_SAMPLE is the number of boundaries at which each story is interrupted, CRASH_SEED selects them; `make crash-test`
tries all.
"""

import signal
from functools import partial

import pytest
from django.core.management import call_command

from orders.models import Mail
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.crash.boundaries import COMMIT, MAIL, Interruption, Process, run
from tests.crash.conftest import each, expire_waits, noting, relay, some, unfinished
from tests.crash.stories import CANCELLED, HAPPY, LOST, LOST_ONCE, REFUSED, SENT_BACK, STORIES, UNDONE, WAITING
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT, running_command

UNINTERRUPTED = {}
"""The boundaries of each style and story that has run without a crash, and the end of the order before the request."""


def run_uninterrupted(shop, story):
    """Runs the story without a crash. Returns its boundaries, and the end of the order before the request."""
    if (shop.style, story.name) not in UNINTERRUPTED:
        attempt = shop.begin(story)
        before = attempt.end()
        passed = attempt.interrupt().passed
        attempt.recover()
        attempt.check(story.end)
        UNINTERRUPTED[shop.style, story.name] = passed, before
    return UNINTERRUPTED[shop.style, story.name]


@known_bug("Django: on_commit")
@each(STORIES)
def test_an_order_whose_request_is_killed_has_the_same_end(shop, story, count):
    passed, before = run_uninterrupted(shop, story)
    for at in some(range(1, len(passed) + 1), shop.style, story.name):
        count(passed)
        with noting(f"boundary {at}, {passed[at - 1]}"):
            attempt = shop.begin(story)
            killed = attempt.interrupt(Interruption(at))
            assert not killed.survived and killed.passed == passed[:at]
            attempt.recover()
            if attempt.has_begun(killed):
                attempt.check(story.end, *([UNDONE] if story.may_be_undone else []))
            else:
                attempt.check(before)
            end = attempt.end() if attempt.has_begun(killed) else story.end
            attempt.repeat()
            attempt.check(end)


@each([HAPPY, REFUSED, CANCELLED, SENT_BACK, WAITING])
def test_an_order_whose_worker_is_killed_too_has_the_same_end(shop, story, count):
    passed, before = run_uninterrupted(shop, story)
    work = partial(call_command, "run_worker", "--once")
    for at in some(range(1, len(passed) + 1), "worker", shop.style, story.name):
        for then in some(range(1, len(passed) - at + 40), "worker", shop.style, story.name, str(at), of_all=2):
            count(passed)
            attempt = shop.begin(story)
            first = attempt.interrupt(Interruption(at))
            expire_waits()
            second = run(work, Interruption(then))
            with noting(f"boundary {at}, {passed[at - 1]}", f"the worker's {then}, {second.passed[-1:]}"):
                attempt.recover()
                end = story.end if attempt.has_begun(first) else before
                attempt.check(end, repeated=second.unstored)


SENDING = [f"{when} {what}" for what in (COMMIT, COMMIT, COMMIT, MAIL, COMMIT) for when in ("before", "after")]
"""A worker inserts the consumer, records the mail of the event, acquires it, sends it, and stores that."""


@pytest.mark.parametrize("at", range(1, len(SENDING) + 1))
def test_a_mail_whose_worker_is_killed_is_sent_by_another_one(shop, at):
    attempt = shop.begin(HAPPY)
    attempt.interrupt()
    killed = run(partial(call_command, "send_mails", verbosity=0), Interruption(at))
    assert not killed.survived and killed.passed == tuple(SENDING[:at])
    with noting(f"boundary {at}, {killed.passed[-1]}"):
        attempt.recover()
        attempt.check(HAPPY.end, repeated=killed.unstored)
        (mail,) = Mail.objects.filter(order=attempt.order_id)
        assert len(shop.letters.copies_of(mail)) == 1 + killed.unstored[MAIL]


def test_a_stopped_worker_that_continues_after_the_mail_is_sent_stores_nothing(shop):
    attempt = shop.begin(HAPPY)
    attempt.interrupt()
    send = partial(call_command, "send_mails", verbosity=0)
    with Process(send, Interruption(SENDING.index(f"after {MAIL}") + 1, signal.SIGSTOP)) as worker:
        assert worker.wait_until_stopped()
        attempt.recover()
        (mail,) = Mail.objects.filter(order=attempt.order_id)
        worker.resume()
        assert worker.end().survived
    attempt.check(HAPPY.end, repeated=[MAIL])
    assert Mail.objects.get(pk=mail.pk).sent_at == mail.sent_at


@each([HAPPY, REFUSED, CANCELLED, SENT_BACK, LOST_ONCE, LOST])
def test_a_stopped_driver_that_continues_after_the_recovery_changes_nothing(shop, story, count):
    passed, _ = run_uninterrupted(shop, story)
    without_lock = [at for at, boundary in enumerate(passed, 1) if boundary != f"before {COMMIT}"]
    for at in some(without_lock, "back", shop.style, story.name):
        count(passed)
        attempt = shop.begin(story)
        with noting(f"stopping at {at}, {passed[at - 1]}"), attempt.start(Interruption(at, signal.SIGSTOP)) as driver:
            assert driver.wait_until_stopped()
            attempt.recover()
            driver.resume()
            assert driver.end().survived
            relay()
            attempt.check(story.end)


def test_the_worker_command_recovers_a_killed_request(shop, settings, monkeypatch):
    monkeypatch.setenv("PAYMENT_GATEWAY", HTTP_GATEWAY)
    monkeypatch.setenv("PAYMENT_GATEWAY_URL", f"{shop.outside.url}/payments")
    monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{shop.letters.port}")
    monkeypatch.setenv("CARRIER", HTTP_CARRIER)
    monkeypatch.setenv("CARRIER_URL", f"{shop.outside.url}/carrier")
    monkeypatch.setenv("EVENTS_URL", shop.consumers.redis.url)
    monkeypatch.setenv("EVENTS_PARTITIONS", str(settings.EVENTS_PARTITIONS))
    monkeypatch.setenv("WEBHOOK_PRIVATE_ADDRESSES", "true")
    passed, _ = run_uninterrupted(shop, HAPPY)
    attempt = shop.begin(HAPPY)
    attempt.interrupt(Interruption(passed.index("before POST parcels") + 1))
    assert unfinished()
    expire_waits()
    with running_command("run_worker", "--once") as worker:
        assert worker.wait(timeout=TIMEOUT) == 0
    attempt.check(HAPPY.end)
