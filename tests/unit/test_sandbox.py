"""The sandbox's rules, its ledger and its faults, without HTTP."""

import sqlite3
from threading import Barrier

import pytest

from cloudmart.providers.odd_texts import PLAIN
from cloudmart.sandbox import knobs
from cloudmart.sandbox import ledger as ledger_file
from cloudmart.sandbox.knobs import Board, Knobs
from cloudmart.sandbox.ledger import Ledger, Response, entries_in, left_after, live
from cloudmart.sandbox.providers import BROKEN, NO_SUCH_KEY, Provider
from cloudmart.sandbox.rules import (
    CANCELLED,
    KEY_REUSED,
    NO_SUCH_CHARGE,
    NOT_TAKEN,
    TOO_MUCH,
    VOIDED,
    CallOff,
    Charge,
    Parcel,
    Refund,
    Void,
)
from tests.integration.test_races import all_at_once

pytestmark = pytest.mark.any_database

GOOD = "tok_ok"
LOST = None
DONE = Response(200, {})


@pytest.fixture(autouse=True)
def plain_texts(settings):
    settings.PROVIDER_TEXTS = PLAIN


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path):
    ledger = Ledger(path)
    yield ledger
    ledger.close()


@pytest.fixture
def payments(ledger):
    return Provider("payments", ledger, Board(Knobs()))


@pytest.fixture
def carrier(ledger):
    return Provider("carrier", ledger, Board(Knobs()))


def a_charge(token=GOOD, amount=1100, order_id="order-1"):
    return Charge(order_id, amount, "JPY", "credit_card", token)


def a_parcel(postal_code="150-0001"):
    return Parcel("order-1", postal_code, "")


def done(path):
    """Kinds and amounts, in order."""
    return [(entry.kind, entry.amount) for entry in entries_in(path)]


def left(path):
    return {key: amount for (_, _, key), amount in live(entries_in(path)).items()}


def test_a_repeated_request_is_carried_out_once_and_has_the_same_response(payments, path):
    responses = [payments.take("key", a_charge()) for _ in range(3)]
    assert responses[0].status == 200 and responses == [responses[0]] * 3
    assert payments.look_up("key") == responses[0]
    assert [entry.reference for entry in entries_in(path)] == [responses[0].body["reference"]]


@pytest.mark.parametrize(
    "other", [a_charge(amount=1101), a_charge("tok_other"), Void("key"), Refund("charge_1", 1100)]
)
def test_a_key_belongs_to_its_first_request(payments, path, other):
    payments.take("key", a_charge())
    assert payments.take("key", other) == KEY_REUSED
    assert done(path) == [("charge", 1100)]


def test_a_key_means_something_else_at_each_provider(payments, carrier, path):
    assert payments.take("key", a_charge()).status == carrier.take("key", a_parcel()).status == 200
    assert done(path) == [("charge", 1100), ("parcel", 1)]


@pytest.mark.parametrize("reason", ["insufficient_funds", "expired_card"])
def test_a_declined_token_is_charged_nothing(payments, path, reason):
    response = payments.take("key", a_charge(f"tok_{reason}"))
    assert (response.status, response.body["code"]) == (402, reason)
    assert payments.look_up("key") == response and done(path) == []


def test_an_unavailable_token_is_not_taken_at_first(payments, path):
    charge = a_charge("tok_unavailable_2")
    assert [payments.take("key", charge) for _ in range(2)] == [NOT_TAKEN] * 2
    assert payments.look_up("key") == NO_SUCH_KEY and done(path) == []
    assert payments.take("key", charge).status == 200
    assert done(path) == [("charge", 1100)]


def test_a_timeout_token_loses_the_response_of_a_charge_that_was_made(payments, path):
    charge = a_charge("tok_timeout_2")
    assert payments.take("key", charge) is LOST
    assert done(path) == [("charge", 1100)]
    assert payments.take("key", charge) is LOST
    assert payments.take("key", charge) == payments.look_up("key")
    assert done(path) == [("charge", 1100)]


def test_a_slow_token_is_slow_only_the_first_time(payments, monkeypatch):
    naps = []
    monkeypatch.setattr("cloudmart.sandbox.providers.sleep", naps.append)
    payments.board.turn(Knobs(latency=500))
    for _ in range(2):
        payments.take("key", a_charge("tok_slow_1500"))
    assert naps == [2]


def test_magic_postal_codes_are_refused_or_not_taken(carrier, path):
    refused = carrier.take("refused", a_parcel("000-0000"))
    assert (refused.status, refused.body["code"]) == (402, "not_served")
    assert [carrier.take("down", a_parcel("999-9999")) for _ in range(5)] == [NOT_TAKEN] * 5
    assert [carrier.take("failing", a_parcel("998-0002")).status for _ in range(3)] == [503, 503, 200]
    assert [(entry.key, entry.amount) for entry in entries_in(path)] == [("failing", 1)]


def test_no_more_is_refunded_than_was_charged(payments, path):
    charged = payments.take("key", a_charge()).body["reference"]
    assert payments.take("first", Refund(charged, 1000)).status == 200
    assert payments.take("first", Refund(charged, 1000)).status == 200
    assert payments.take("second", Refund(charged, 101)) == TOO_MUCH
    assert payments.take("third", Refund(charged, 100)).status == 200
    assert done(path) == [("charge", 1100), ("refund", -1000), ("refund", -100)]
    assert left(path) == {}
    refund = entries_in(path)[1]
    assert (refund.subject, refund.order_id) == ("key", "order-1")
    assert payments.take("of a refund", Refund(refund.reference, 1)) == NO_SUCH_CHARGE


def test_a_voided_charge_is_refused_from_then_on(payments, path):
    payments.take("key", a_charge())
    for _ in range(2):
        assert payments.take("key:cancel", Void("key")).status == 200
    assert done(path) == [("charge", 1100), ("void", -1100)] and left(path) == {}
    assert payments.take("key", a_charge()) == payments.look_up("key") == VOIDED
    assert done(path) == [("charge", 1100), ("void", -1100)]


def test_a_void_gives_back_only_what_was_not_refunded(payments, path):
    charged = payments.take("key", a_charge()).body["reference"]
    payments.take("refund", Refund(charged, 1000))
    payments.take("key:cancel", Void("key"))
    assert done(path) == [("charge", 1100), ("refund", -1000), ("void", -100)]
    assert payments.take("more", Refund(charged, 1)) == TOO_MUCH


def test_a_request_that_was_undone_before_it_arrived_is_refused(payments, carrier, path):
    assert payments.take("key:cancel", Void("key")).status == 200
    assert payments.take("key", a_charge()) == VOIDED
    assert carrier.take("key:cancel", CallOff("key")).status == 200
    assert carrier.take("key", a_parcel()) == CANCELLED
    assert done(path) == []


def test_a_cancelled_parcel_is_refused_from_then_on(carrier, path):
    carrier.take("key", a_parcel())
    carrier.take("key:cancel", CallOff("key"))
    assert done(path) == [("parcel", 1), ("call_off", -1)]
    assert carrier.look_up("key") == CANCELLED


@pytest.mark.parametrize("amount", [0, -5, "much", 1.5, None])
def test_an_invalid_amount_stores_nothing(payments, path, amount):
    with pytest.raises(sqlite3.IntegrityError):
        payments.take("key", a_charge(amount=amount))
    assert done(path) == [] and payments.look_up("key") == NO_SUCH_KEY
    assert payments.take("key", a_charge()).status == 200, "the key is still free"


def test_the_ledger_is_read_by_order_and_by_key(payments, carrier, path):
    payments.take("one", a_charge())
    payments.take("two", a_charge(order_id="order-2", amount=500))
    carrier.take("parcel", a_parcel())
    assert [entry.key for entry in entries_in(path, order_id="order-1")] == ["one", "parcel"]
    payments.take("two:cancel", Void("two"))
    assert [entry.kind for entry in entries_in(path, key="two")] == ["charge", "void"]
    assert live(entries_in(path)) == {("payments", "order-1", "one"): 1100, ("carrier", "order-1", "parcel"): 1}


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_what_is_left_is_listed_in_pages(payments, carrier, path, monkeypatch, page):
    monkeypatch.setattr(ledger_file, "PAGE", page)
    for key in ("d", "b", "a", "c"):
        payments.take(key, a_charge())
    payments.take("b:cancel", Void("b"))
    payments.take("c:refund", Refund(payments.look_up("c").body["reference"], 100))
    carrier.take("parcel", a_parcel())
    counted, key = {}, ""
    while key is not None:
        left, key = left_after(path, "payments", key)
        assert len(left) <= page
        counted |= left
    assert counted == {"a": 1100, "c": 1000, "d": 1100}
    assert counted == {key: amount for (name, _, key), amount in live(entries_in(path)).items() if name == "payments"}


def test_what_is_undone_is_found_by_an_index(payments, carrier, ledger):
    payments.take("charge", a_charge())
    carrier.take("parcel", a_parcel())
    statements = []
    ledger._file.set_trace_callback(statements.append)
    payments.take("refund", Refund("charge", 100))
    payments.take("void", Void("charge"))
    carrier.take("call-off", CallOff("parcel"))
    ledger._file.set_trace_callback(None)
    searches = [statement for statement in statements if "AS made" in statement]
    assert len(searches) == 4
    for search in searches:
        steps = [step for *_, step in ledger._file.execute(f"EXPLAIN QUERY PLAN {search}")]
        assert not [step for step in steps if step.startswith("SCAN") or "(provider=?)" in step], steps


def test_the_ledger_keeps_no_token(payments, ledger, path):
    payments.take("key", a_charge("tok_4242-distinctive"))
    ledger.close()
    assert b"order-1" in path.read_bytes() and b"distinctive" not in path.read_bytes()


def test_a_ledger_outlives_its_process(payments, ledger, path):
    payments.take("unanswered", a_charge("tok_unavailable_2"))
    response = payments.take("key", a_charge())
    ledger.close()
    reopened = Ledger(path)
    again = Provider("payments", reopened, Board(Knobs()))
    assert again.take("key", a_charge()) == response
    assert again.take("unanswered", a_charge("tok_unavailable_2")) == NOT_TAKEN, "attempts are still counted"
    assert again.take("unanswered", a_charge("tok_unavailable_2")).status == 200
    reopened.close()


def test_sixteen_concurrent_requests_are_one_charge(path):
    """The file itself enforces the key: these providers share nothing else."""
    ledgers = [Ledger(path) for _ in range(16)]
    providers = [Provider("payments", ledger, Board(Knobs())) for ledger in ledgers]
    responses = all_at_once([lambda p=provider: p.take("key", a_charge()) for provider in providers])
    for ledger in ledgers:
        ledger.close()
    assert responses == [responses[0]] * 16 and responses[0].status == 200
    assert done(path) == [("charge", 1100)]


def test_a_fault_strikes_a_number_of_requests(payments):
    payments.board.turn(Knobs(drop_before=1, unavailable=1, drop_after=1, error_after=2))
    responses = [payments.serve(lambda: DONE) for _ in range(6)]
    assert responses == [LOST, NOT_TAKEN, LOST, BROKEN, BROKEN, DONE]


@pytest.mark.parametrize(("rolled", "struck"), [(0.24, True), (0.25, False)])
def test_a_fault_strikes_a_share_of_the_requests(monkeypatch, rolled, struck):
    monkeypatch.setattr(knobs, "random", lambda: rolled)
    board = Board(Knobs(drop_after=0.25))
    assert [board.strikes("drop_after") for _ in range(3)] == [struck] * 3


def test_a_duplicate_is_processed_concurrently(payments):
    both = Barrier(2)
    payments.board.turn(Knobs(duplicate=1))
    assert payments.serve(lambda: DONE if both.wait(timeout=10) is not None else None) == DONE
    assert payments.serve(lambda: DONE) == DONE, "and only once"


@pytest.mark.parametrize("wrong", [{"latency": -1}, {"unavailable": "often"}, {"drop_after": float("nan")}])
def test_a_knob_is_a_number(wrong):
    with pytest.raises(ValueError):
        Knobs(**wrong)


def test_knobs_are_read_from_the_command_line():
    assert Knobs.parse(["latency=50", "drop_after=0.5"]) == Knobs(latency=50, drop_after=0.5)
    with pytest.raises(TypeError):
        Knobs.parse(["latence=50"])
