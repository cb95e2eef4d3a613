"""`GET …?wait=N`: which requests wait for their order, for how long, and what the wait leaves out of the log."""

import pytest
from django.core.management import call_command

from cloudmart.api.long_polling import LONG_POLL, LongPoll
from cloudmart.api.throttling import UserThrottle
from cloudmart.kernel.ids import new_id
from tests.conftest import signed_in
from tests.factories import UserFactory

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
PATHS = pytest.mark.parametrize("path", ["/orders/{}", "/saga/{}/status"])


@pytest.fixture
def pending(api, shelve, style):
    """An order that is left to the workers."""
    shelve("book-123", 3)
    response = api.post("/orders", {**ORDER, "saga": style}, headers={"Prefer": "respond-async"})
    return response.json()["order_id"]


def poll(client, url, method="get", **told):
    """Sends the request as the front does. Returns the response, and what the front is asked to do."""
    told = LongPoll(**told)
    return getattr(client, method)(url, **{LONG_POLL: told}), told


@PATHS
def test_an_unfinished_order_is_waited_for(api, pending, path):
    response, asked = poll(api, path.format(pending) + "?wait=3")
    assert response.status_code == 200 and asked.is_postponed
    assert (str(asked.order_id), asked.seconds) == (pending, 3)


@PATHS
def test_a_finished_order_is_shown_at_once(api, pending, path):
    call_command("run_worker", once=True)
    response, asked = poll(api, path.format(pending) + "?wait=3")
    assert response.json()["status"].lower() == "completed" and not asked.is_postponed


def test_an_order_is_undone_before_the_wait_for_it_ends(api, pending):
    api.post(f"/orders/{pending}/cancel", {}, headers={"Prefer": "respond-async"})
    assert poll(api, f"/orders/{pending}?wait=3")[1].is_postponed
    call_command("run_worker", once=True)
    assert not poll(api, f"/orders/{pending}?wait=3")[1].is_postponed


def test_a_request_waits_for_no_longer_than_its_budget(api, pending, settings):
    settings.REQUEST_BUDGET = 7.5
    assert poll(api, f"/orders/{pending}?wait=3600")[1].seconds == 7.5


@pytest.mark.any_database
def test_a_draft_and_an_unknown_order_and_that_of_another_customer_are_not_waited_for(api, shelve):
    shelve("book-123", 3)
    draft = api.post("/orders", {}).json()["order_id"]
    foreign = api.post("/orders", ORDER, headers={"Prefer": "respond-async"}).json()["order_id"]
    for client, order_id, status in (
        (api, draft, 200),
        (api, new_id(), 404),
        (signed_in(UserFactory()), foreign, 404),
    ):
        response, asked = poll(client, f"/orders/{order_id}?wait=3")
        assert response.status_code == status and not asked.is_postponed


def test_an_abandoned_order_is_not_waited_for(api, operator, pending):
    signed_in(operator).post(f"/saga/{pending}/abandon", {"reason": "Nothing helps."})
    assert not poll(api, f"/orders/{pending}?wait=3")[1].is_postponed


@pytest.mark.parametrize("query", ["", "?wait=0"])
def test_only_a_request_with_a_wait_waits(api, pending, query):
    response, asked = poll(api, f"/orders/{pending}{query}")
    assert response.status_code == 200 and not asked.is_postponed


def test_a_head_request_and_one_without_the_front_have_their_response_at_once(api, pending):
    assert not poll(api, f"/orders/{pending}?wait=3", "head")[1].is_postponed
    assert api.get(f"/orders/{pending}?wait=3").json()["status"] == "pending"


@pytest.mark.parametrize("wait", ["", "-1", "1.5", "soon", "٣", "3601", "9" * 5000, "1e1", "+1", " 1"])
@PATHS
def test_a_wait_that_is_no_number_of_seconds_is_invalid(api, pending, path, wait):
    response, asked = poll(api, path.format(pending) + f"?wait={wait}".replace("+", "%2B").replace(" ", "%20"))
    assert response.status_code == 400 and not asked.is_postponed
    assert [error["field"] for error in response.json()["errors"]] == ["wait"]


def test_both_runs_are_one_request_in_the_log_and_for_the_throttle(api, pending, monkeypatch, caplog):
    monkeypatch.setattr(UserThrottle, "THROTTLE_RATES", {"user": "2/min"})
    told = LongPoll()
    url = f"/orders/{pending}?wait=3"
    request = {LONG_POLL: told}
    caplog.set_level("INFO", logger="cloudmart.api.requests")
    first = api.get(url, **request)
    assert first.status_code == 200 and told.is_postponed and not caplog.records
    told.waited = 1.5
    for _ in range(5):
        second = api.get(url, HTTP_X_REQUEST_ID=first["X-Request-ID"], **request)
        assert second.status_code == 200 and second["X-Request-ID"] == first["X-Request-ID"]
    assert 429 in {api.get(url).status_code for _ in range(3)}, "the limit is in force"
    caplog.records[5:] = []
    assert [record.msg["waited_ms"] for record in caplog.records] == [1500] * 5
