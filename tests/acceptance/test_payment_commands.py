"""Payments asked for by themselves, by operators: each twice is once."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.kernel.ids import new_id
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment, Refund
from tests.acceptance.conftest import decline_of, end_of, money_kept
from tests.conftest import signed_in
from tests.integration.test_races import ROUNDS, all_at_once
from tests.known_bugs import known_bug


@pytest.fixture
def ask(operator):
    """POST to payments, as an operator."""
    client = signed_in(operator)
    return lambda path, headers=None, **body: client.post(f"/payments/{path}", body, headers=headers)


@pytest.fixture
def order_id():
    """Of an order that no saga knows."""
    return str(new_id())


def charge(ask, order_id, **changes):
    return ask("process", **{"order_id": order_id, "amount": 1000, "payment_method": "credit_card", **changes})


def raising(error):
    def call(self, *args, **kwargs):
        raise error

    return call


def charges():
    return {key for verb, key in gateway().diary if verb == "charge"}


def test_an_order_is_charged_once(ask, order_id):
    answers = [charge(ask, order_id, customer_id="customer-001") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "captured" and answers[0].json()["amount"] == 1000
    assert len(charges()) == 1


def test_a_declined_charge_stays_declined(ask, order_id):
    for _ in range(2):
        answer = charge(ask, order_id, payment_token="tok_expired_card")
        assert answer.status_code == 402 and answer.json()["reason"] == decline_of("tok_expired_card")["reason"]


@pytest.mark.parametrize("changes", [{"amount": 999}, {"payment_method": "e_money"}])
def test_an_order_has_one_payment(ask, order_id, changes):
    charge(ask, order_id)
    answer = charge(ask, order_id, **changes)
    assert answer.status_code == 409 and answer.json()["code"] == "payment_differs"
    assert answer.json()["amount"] == 1000


@pytest.mark.parametrize("error", [OutcomeUnknown("silence"), ProviderUnavailable("down")])
def test_what_is_not_sure_stays_pending_and_is_asked_again_under_the_same_key(ask, order_id, monkeypatch, error):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(error))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        first = charge(ask, order_id)
    assert first.status_code == 202 and first.json()["status"] == "pending"
    key = Payment.objects.get().idempotency_key
    assert charge(ask, order_id).json()["status"] == "captured"
    assert charges() == {key}


def test_eight_at_once_are_one_charge(ask, order_id):
    answers = all_at_once([lambda: charge(ask, order_id)] * 8)
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert charge(ask, order_id).json()["status"] == "captured"
    assert len(charges()) == 1 and Payment.objects.count() == 1


def test_a_charge_and_its_cancellation_at_once_agree(ask):
    for _ in range(ROUNDS):
        order_id = str(new_id())
        answers = all_at_once([lambda o=order_id: charge(ask, o), lambda o=order_id: ask("cancel", order_id=o)] * 4)
        payment = Payment.objects.get(order_id=order_id)
        charged = isinstance(gateway().lookup(payment.idempotency_key), Accepted)
        cancelled = [answer for answer in answers[1::2] if answer.status_code in {200, 202}]
        if payment.status == "captured":
            assert charged and not cancelled
        else:
            assert payment.status == "cancelled" and not charged
        assert {answer.status_code for answer in answers} <= {200, 202, 402, 409}


def test_a_charge_that_is_cancelled_while_the_gateway_works_on_it_is_refused(ask, order_id, monkeypatch):
    def cancel_meanwhile(_seconds):
        assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"

    monkeypatch.setattr("payments.gateways.mock.time.sleep", cancel_meanwhile)
    assert charge(ask, order_id).json()["code"] == "illegal_move"
    payment = Payment.objects.get(order_id=order_id)
    assert payment.status == "cancelled" and isinstance(gateway().lookup(payment.idempotency_key), Refused)


def test_a_charge_that_was_never_made_is_cancelled_for_good(ask, order_id):
    for _ in range(2):
        answer = ask("cancel", order_id=order_id)
        assert answer.status_code == 200 and answer.json()["status"] == "cancelled"
    refused = charge(ask, order_id)
    assert refused.status_code == 409 and refused.json()["code"] == "illegal_move"
    assert not charges()


def test_a_pending_charge_is_dropped(ask, order_id, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(ProviderUnavailable("down")))
        charge(ask, order_id)
        down.setattr(MockGateway, "cancel", raising(ProviderUnavailable("down")))
        assert ask("cancel", order_id=order_id).status_code == 202
    assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"


def test_what_was_captured_is_refunded_not_cancelled(ask, order_id):
    charge(ask, order_id)
    answer = ask("cancel", order_id=order_id)
    assert answer.status_code == 409 and answer.json()["code"] == "illegal_move"


def test_parts_are_refunded_until_nothing_is_left(ask, order_id):
    charge(ask, order_id)
    part = {"order_id": order_id, "amount": 300, "reference": "torn-page", "reason": "A torn page"}
    for _ in range(2):
        told = ask("refund", **part).json()
        assert (told["status"], told["refunded_amount"], len(told["refunds"])) == ("captured", 300, 1)
    assert told["refunds"][0]["reason"] == "A torn page"
    other = ask("refund", **{**part, "amount": 301})
    assert other.status_code == 409 and other.json()["code"] == "reference_reused"
    refused = ask("refund", order_id=order_id, amount=701)
    assert refused.status_code == 409 and refused.json()["refundable"] == 700
    for _ in range(2):
        told = ask("refund", order_id=order_id).json()
        assert (told["status"], told["refunded_amount"], len(told["refunds"])) == ("refunded", 1000, 2)
    assert ask("refund", order_id=order_id, reference="more").json()["refundable"] == 0
    assert charge(ask, order_id).json()["code"] == "illegal_move"


def test_a_refund_that_is_not_sure_is_asked_for_again_under_the_same_key(ask, order_id, monkeypatch):
    charge(ask, order_id)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", raising(ProviderUnavailable("down")))
        answer = ask("refund", order_id=order_id)
        assert answer.status_code == 202 and answer.json()["status"] == "refunding"
    assert ask("refund", order_id=order_id).json()["status"] == "refunded"
    assert {key for verb, key in gateway().diary if verb == "refund"} == {Refund.objects.get().idempotency_key}


def test_there_is_nothing_to_refund(ask, order_id):
    assert ask("refund", order_id=order_id).json()["code"] == "payment_not_found"
    charge(ask, order_id, payment_token="tok_expired_card")
    assert ask("refund", order_id=order_id).json()["code"] == "illegal_move"


def test_the_same_refund_sixteen_times_at_once_is_one(ask, order_id):
    charge(ask, order_id)
    answers = all_at_once([lambda: ask("refund", order_id=order_id, amount=100, reference="r")] * 16)
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert Payment.objects.get().refunded_amount == 100 and Refund.objects.count() == 1


@known_bug("MySQL: lost update")
def test_of_ten_refunds_at_once_those_that_fit_are_made(ask, order_id):
    charge(ask, order_id)
    jobs = [lambda n=n: ask("refund", order_id=order_id, amount=150, reference=f"r-{n}") for n in range(10)]
    answers = all_at_once(jobs)
    assert sorted(answer.status_code for answer in answers if answer.status_code == 409) == [409] * 4
    assert money_kept(order_id) == 100 and Payment.objects.get().refunded_amount == 900


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(1, 700))), max_size=6))
def test_refunds_never_exceed_the_payment(ask, wishes):
    order_id, made = str(new_id()), {}
    charge(ask, order_id)
    for reference, amount in wishes:
        body = {"order_id": order_id, "reference": reference, **({"amount": amount} if amount else {})}
        answer = ask("refund", **body)
        left = 1000 - sum(made.values())
        if reference in made:
            assert answer.status_code == (200 if amount in {None, made[reference]} else 409)
        elif 0 < (amount or left) <= left:
            assert answer.status_code == 200
            made[reference] = amount or left
        else:
            assert answer.status_code == 409 and answer.json()["refundable"] == left
    payment = Payment.objects.get(order_id=order_id)
    assert payment.refunded_amount == sum(made.values()) == 1000 - money_kept(order_id)
    assert payment.status == ("refunded" if sum(made.values()) == 1000 else "captured")


def test_a_cancelled_order_gets_back_only_what_it_has_not_had(place, api, shelve, ask):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    assert ask("refund", order_id=order_id, amount=100, reference="sorry").status_code == 200
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert sorted(Refund.objects.values_list("amount", flat=True)) == [100, 1000]
    assert api.get(f"/payments/{order_id}").json()["refunded_amount"] == 1100


def test_a_refund_that_was_in_doubt_is_settled_when_the_order_is_cancelled(place, api, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", raising(ProviderUnavailable("down")))
        assert ask("refund", order_id=order_id, amount=100, reference="sorry").status_code == 202
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert set(Refund.objects.values_list("status", flat=True)) == {"refunded"} and money_kept(order_id) == 0


def test_while_its_saga_is_at_work_an_order_is_its_alone(place, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        order_id = place(("book-123", 1)).json()["order_id"]
    for path, more in [("process", {"amount": 1100, "payment_method": "credit_card"}), ("cancel", {}), ("refund", {})]:
        answer = ask(path, order_id=order_id, **more)
        assert answer.status_code == 409 and answer.json()["code"] == "saga_running"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("process", {"amount": 1, "payment_method": "e_money"}, "order_id"),
        ("process", {"order_id": "x", "amount": 1, "payment_method": "e_money"}, "order_id"),
        ("process", {"order_id": str(new_id()), "amount": 0, "payment_method": "e_money"}, "amount"),
        ("process", {"order_id": str(new_id()), "amount": 10**13, "payment_method": "e_money"}, "amount"),
        ("process", {"order_id": str(new_id()), "amount": 1, "payment_method": "shells"}, "payment_method"),
        ("cancel", {"order_id": str(new_id()), "colour": "red"}, "colour"),
        ("refund", {"order_id": str(new_id()), "amount": -1}, "amount"),
        ("refund", {"order_id": str(new_id()), "reference": ":saga"}, "reference"),
    ],
)
def test_a_wrong_field_is_named(ask, path, body, field):
    answer = ask(path, **body)
    assert answer.status_code == 400 and [each["field"] for each in answer.json()["errors"]] == [field]
    assert not Payment.objects.exists()


def test_a_key_makes_any_of_them_safe_to_repeat(ask, order_id):
    body = {"order_id": order_id, "amount": 1000, "payment_method": "credit_card"}
    first = ask("process", headers={"Idempotency-Key": "k"}, **body)
    repeat = ask("process", headers={"Idempotency-Key": "k"}, **body)
    assert repeat["Idempotent-Replayed"] == "true" and repeat.json() == first.json()
    other = ask("process", headers={"Idempotency-Key": "k"}, **{**body, "amount": 1})
    assert other.status_code == 422


def test_under_a_key_what_was_not_sure_is_taken_further_by_a_repeat(ask, order_id, monkeypatch):
    body = {"order_id": order_id, "amount": 1000, "payment_method": "credit_card", "headers": {"Idempotency-Key": "k"}}
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        assert ask("process", **body).status_code == 202
    answers = [ask("process", **body) for _ in range(2)]
    assert [answer.json()["status"] for answer in answers] == ["captured", "captured"]
    assert answers[1]["Idempotent-Replayed"] == "true" and len(charges()) == 1
