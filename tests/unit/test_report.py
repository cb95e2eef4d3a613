"""The report's pure parts: the mix of stories, the figures, what holds of an order, and the verdict."""

import json
import random
from collections import Counter
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.calls import CHARGE, PARCEL, Call, grouped
from benchmarks.report.document import Load, Report, as_json, as_markdown
from benchmarks.report.endings import Ending, Records, is_undone, is_whole
from benchmarks.report.figures import PHASES, Errors, Latency, Measured, Rollback, figures
from benchmarks.report.promises import promises
from benchmarks.report.stories import CANCELLED, CARRIER_DOWN, DECLINED_PAYMENT, PLAIN, STORIES, deal
from benchmarks.report.users import Request, Result

pytestmark = pytest.mark.any_database

STYLE = "orchestration"
WHOLE = Records("completed", "COMPLETED", "captured", "arranged", 0, 2, -2, 0, charged=2200, sent=1)
UNDONE = Records("cancelled", "FAILED", "refunded", "cancelled", 0, 0, 0, 0, charged=0, sent=0)


def request(order_id="", status=201, code="", milliseconds=20.0, sent=10.0):
    return Request(sent, sent + milliseconds / 1000, milliseconds, status, code, order_id)


def completed(order_id="whole", milliseconds=20.0):
    return Result(PLAIN, STYLE, request(order_id, milliseconds=milliseconds))


def declined(order_id="undone"):
    return Result(DECLINED_PAYMENT, STYLE, request(order_id, 402, "payment_declined"))


def cancelled(order_id="undone", status=200):
    return Result(CANCELLED, STYLE, request(order_id), request(order_id, status, sent=11.0))


def ending(order_id, is_completed, broken=()):
    return Ending(order_id, STYLE, is_completed, 10.004, 11.05, tuple(broken))


WHOLE_ORDER, UNDONE_ORDER = ending("whole", True), ending("undone", False)
CALLS = {"whole": [Call(CHARGE, "c", "whole", 10.006, 10.009), Call(PARCEL, "p", "whole", 10.011, 10.016)]}


def measured(*results, endings=(WHOLE_ORDER, UNDONE_ORDER), calls=CALLS, seconds=1.0):
    return Measured(STYLE, seconds, results, {each.order_id: each for each in endings}, calls)


@pytest.fixture
def kept():
    """Figures that keep every promise."""
    return figures(measured(*[completed()] * 99, declined()), {})


def missed(style):
    return [figure.what.split(",")[0] for figure in promises(style) if not figure.is_kept]


# --- The mix ---------------------------------------------------------------------------------------


def test_the_shares_of_the_stories_add_up():
    assert sum(story.share for story in STORIES) == 100


def test_a_hundred_orders_have_every_story_in_its_share():
    dealt = Counter(story.name for story in deal(100, random.Random(1)))
    assert dealt == {story.name: story.share for story in STORIES}


@given(st.integers(20, 2000))
def test_every_story_is_there_from_twenty_orders_on_and_no_share_is_off_by_more_than_one(number):
    dealt = Counter(story.name for story in deal(number, random.Random(1)))
    assert dealt.total() == number
    for story in STORIES:
        assert dealt[story.name] >= 1 and abs(dealt[story.name] - story.share * number / 100) <= 1


# --- What holds of an order ------------------------------------------------------------------------


def test_everything_holds_of_a_whole_order_and_of_an_undone_one():
    assert all(is_whole(WHOLE, copies=2, total=2200).values())
    assert all(is_undone(UNDONE).values())
    nothing = replace(UNDONE, payment="", parcel="")
    assert all(is_undone(nothing).values())


@pytest.mark.parametrize(
    "change",
    [
        {"saga": "COMPENSATION_STARTED"},
        {"payment": "refunded"},
        {"parcel": "pending"},
        {"sold": 1},
        {"reserved": 1},
        {"on_hand_change": -1},
        {"reserved_change": 1},
        {"charged": 2199},
        {"charged": 4400},
        {"sent": 0},
        {"sent": 2},
    ],
)
def test_a_completed_order_is_not_whole(change):
    assert list(is_whole(replace(WHOLE, **change), copies=2, total=2200).values()).count(False) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"status": "pending"},
        {"saga": "COMPENSATION_STARTED"},
        {"payment": "captured"},
        {"payment": "pending"},
        {"payment": "refunding"},
        {"parcel": "arranged"},
        {"parcel": "cancelling"},
        {"reserved": 1},
        {"sold": 1},
        {"on_hand_change": -1},
        {"reserved_change": 1},
        {"charged": 1},
        {"sent": 1},
    ],
)
def test_something_of_a_failed_order_is_left(change):
    assert list(is_undone(replace(UNDONE, **change)).values()).count(False) == 1


# --- The figures -----------------------------------------------------------------------------------


def test_latencies_are_those_of_orders_and_cancellations():
    style = figures(measured(completed(milliseconds=10), declined(), cancelled("undone")), {})
    assert style.latency == Latency(p50=20, p90=20, p95=20, p99=20, max=20)
    assert style.errors.requests == 4
    assert Latency.of(range(1, 101)) == Latency(50, 90, 95, 99, 100)


def test_right_responses_are_no_errors(kept):
    assert (kept.errors.number, kept.rollback, kept.completed) == (0, Rollback(1, 1, []), 99)


@pytest.mark.parametrize(
    "result",
    [
        Result(PLAIN, STYLE, request(status=0)),
        Result(PLAIN, STYLE, request(status=500)),
        Result(PLAIN, STYLE, request("undone", 202)),
        Result(PLAIN, STYLE, request("undone", 409, "out_of_stock")),
        Result(DECLINED_PAYMENT, STYLE, request("whole", 201)),
        Result(DECLINED_PAYMENT, STYLE, request("undone", 402, "payment_unavailable")),
        cancelled(status=409),
    ],
)
def test_a_wrong_response_is_an_error(result):
    style = figures(measured(completed(), declined(), result), {})
    assert style.errors.number >= 1
    assert missed(replace(style, seconds=0.1)) == ["errors"]


@pytest.mark.parametrize(
    ("result", "end"),
    [
        (completed(), ending("whole", False)),
        (declined("whole"), ending("whole", True)),
        (cancelled("whole"), ending("whole", True)),
        (completed(), ending("another", False)),
        (completed(), ending("whole", True, broken=["the carrier has its parcel"])),
    ],
)
def test_an_order_that_does_not_end_as_its_response_said_is_an_error(result, end):
    style = figures(measured(result, declined(), endings=[end, UNDONE_ORDER]), {})
    assert style.errors.number >= 1


def test_an_order_that_no_response_has_named_is_an_error():
    style = figures(measured(completed(), endings=[WHOLE_ORDER, UNDONE_ORDER]), {})
    assert style.errors.examples == ["undone: no response has named this order"]


def test_the_phases_of_an_undisturbed_order_add_up_to_it():
    style = figures(measured(completed(), declined()), {})
    assert [(phase.name, phase.is_provider) for phase in style.phases] == list(PHASES)
    assert [phase.mean for phase in style.phases] == [4, 2, 3, 2, 5, 4]


def test_an_order_whose_provider_was_called_twice_is_not_undisturbed():
    charge, parcel = CALLS["whole"]
    style = figures(measured(completed(), calls={"whole": [charge, charge, parcel]}), {})
    assert style.phases == []


def test_compensation_counts_from_the_last_failed_call_or_from_the_cancellation():
    failing = Result(CARRIER_DOWN, STYLE, request("undone", 409, "shipping_failed"))
    attempts = [Call(PARCEL, "p", "undone", 10.5 + at, 10.6 + at) for at in (0, 0.1, 0.2)]
    refund = Call("refunds", "r", "undone", 10.85, 10.875)
    style = figures(measured(failing, calls={"undone": [*attempts, refund]}), {})
    by_story = {each.story: each for each in style.compensations}
    assert by_story[CARRIER_DOWN.name].milliseconds == [pytest.approx(250)]
    assert by_story[CARRIER_DOWN.name].provider_mean == pytest.approx(25)
    style = figures(measured(cancelled()), {})
    assert {each.story: each.milliseconds for each in style.compensations}[CANCELLED.name] == [pytest.approx(50)]


def test_a_refund_belongs_to_the_order_that_the_ledger_names():
    refund, charge = Call("refunds", "r", "", 3, 4), Call(CHARGE, "c", "order", 1, 2)
    assert grouped([refund, charge, Call("voids", "v", "", 5, 6)], {"r": "order"}) == {"order": [charge, refund]}


# --- The verdict -----------------------------------------------------------------------------------


def test_every_promise_is_kept(kept):
    assert missed(kept) == []


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ({"latency": Latency(1, 1, 1, 500, 500)}, "p99 of all responses"),
        ({"latency": Latency(inf, inf, inf, inf, inf)}, "p99 of all responses"),
        ({"completed": 99, "seconds": 60.0}, "completed orders a minute"),
        ({"errors": Errors(1, 100, [])}, "errors"),
        ({"errors": Errors(0, 0, [])}, "errors"),
        ({"rollback": Rollback(1000, 999, [])}, "failed orders completely undone"),
        ({"rollback": Rollback(0, 0, [])}, "failed orders completely undone"),
    ],
)
def test_a_figure_at_its_limit_is_a_missed_promise(kept, change, promise):
    assert missed(replace(kept, **change)) == [promise]


@pytest.mark.parametrize(
    "change",
    [
        {"latency": Latency(1, 1, 1, 499, 900)},
        {"completed": 100, "seconds": 60.0},
        {"errors": Errors(1, 101, [])},
        {"rollback": Rollback(1000, 1000, [])},
    ],
)
def test_a_figure_within_its_limit_is_a_kept_promise(kept, change):
    assert missed(replace(kept, **change)) == []


def report_of(*styles, problems=()):
    return Report(Load(50, 600, 60, "2 cores", "2026-11-26"), list(styles), list(problems))


def test_the_report_is_kept_if_every_promise_is_and_the_audit_is_clean(kept):
    assert report_of(kept, kept).is_kept
    assert not report_of(kept, kept, problems=["FAILED  completed_is_paid: 1 offender"]).is_kept
    assert not report_of(kept, replace(kept, rollback=Rollback(2, 1, []))).is_kept


def test_the_report_says_what_is_missed_and_why(kept):
    broken = replace(kept, rollback=Rollback(2, 1, ["order-1: it is not true that no payment is left"]))
    text = as_markdown(report_of(kept, broken, problems=["FAILED  cancelled_holds_no_money: 1 offender: order-1"]))
    assert text.count("**MISSED**") == 1 and text.count("| kept |") == 7
    assert "- order-1: it is not true that no payment is left" in text
    assert "- FAILED  cancelled_holds_no_money" in text


def test_a_story_without_orders_has_no_latency_in_the_json(kept):
    content = json.loads(as_json(report_of(kept)))
    (style,) = content["styles"]
    latencies = {story["name"]: story["latency"]["p99"] for story in style["stories"]}
    assert latencies[PLAIN.name] == 20 and latencies["sold out"] is None
    assert [promise["is_kept"] for promise in content["promises"]] == [True] * 4
    assert (style["completed_per_minute"], style["error_rate"], style["rollback_success"]) == (5940, 0, 1)
