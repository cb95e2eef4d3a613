"""The direct commands on payments: a repeat changes nothing."""

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
    """The id of an order without a saga."""
    return str(new_id())


def charge(ask, order_id, **changes):
    return ask("process", **{"order_id": order_id, "amount": 1000, "payment_method": "credit_card", **changes})


def raising(error):
    def call(self, *args, **kwargs):
        raise error

    return call


def charges():
    return {key for method, key in gateway().diary if method == "charge"}


def test_an_order_is_charged_once(ask, order_id):
    responses = [charge(ask, order_id, customer_id="customer-001") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json() == responses[1].json()
    assert responses[0].json()["status"] == "captured" and responses[0].json()["amount"] == 1000
    assert len(charges()) == 1


def test_a_declined_charge_stays_declined(ask, order_id):
    for _ in range(2):
        response = charge(ask, order_id, payment_token="tok_expired_card")
        assert response.status_code == 402 and response.json()["reason"] == decline_of("tok_expired_card")["reason"]


@pytest.mark.parametrize("changes", [{"amount": 999}, {"payment_method": "e_money"}])
def test_another_amount_or_method_is_refused(ask, order_id, changes):
    charge(ask, order_id)
    response = charge(ask, order_id, **changes)
    assert response.status_code == 409 and response.json()["code"] == "payment_differs"
    assert response.json()["amount"] == 1000


def test_of_two_simultaneous_charges_of_different_amounts_one_is_refused(ask):
    for _ in range(ROUNDS):
        order_id = str(new_id())
        responses = all_at_once([lambda o=order_id, a=a: charge(ask, o, amount=a) for a in (1000, 999)])
        charged, refused = sorted(responses, key=lambda response: response.status_code)
        assert (charged.status_code, charged.json()["status"]) == (200, "captured")
        assert (refused.status_code, refused.json()["code"]) == (409, "payment_differs")


@pytest.mark.parametrize("error", [OutcomeUnknown("silence"), ProviderUnavailable("down")])
def test_a_charge_in_doubt_stays_pending_and_is_retried_under_the_same_key(ask, order_id, monkeypatch, error):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(error))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        first = charge(ask, order_id)
    assert first.status_code == 202 and first.json()["status"] == "pending" and first["Retry-After"] == "1"
    key = Payment.objects.get().idempotency_key
    assert charge(ask, order_id).json()["status"] == "captured"
    assert charges() == {key}


def test_eight_concurrent_requests_are_one_charge(ask, order_id):
    responses = all_at_once([lambda: charge(ask, order_id)] * 8)
    assert {response.status_code for response in responses} <= {200, 202}
    assert charge(ask, order_id).json()["status"] == "captured"
    assert len(charges()) == 1 and Payment.objects.count() == 1


def test_a_concurrent_charge_and_cancellation_agree(ask):
    for _ in range(ROUNDS):
        order_id = str(new_id())
        responses = all_at_once([lambda o=order_id: charge(ask, o), lambda o=order_id: ask("cancel", order_id=o)] * 4)
        payment = Payment.objects.get(order_id=order_id)
        charged = isinstance(gateway().lookup(payment.idempotency_key), Accepted)
        cancelled = [response for response in responses[1::2] if response.status_code in {200, 202}]
        if payment.status == "captured":
            assert charged and not cancelled
        else:
            assert payment.status == "cancelled" and not charged
        assert {response.status_code for response in responses} <= {200, 202, 402, 409}


def test_a_charge_that_is_voided_while_the_gateway_works_on_it_is_refused(ask, order_id, monkeypatch):
    def cancel_meanwhile(_seconds):
        assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"

    monkeypatch.setattr("cloudmart.providers.mock.time.sleep", cancel_meanwhile)
    assert charge(ask, order_id, payment_token="tok_slow_1").json()["code"] == "illegal_move"
    payment = Payment.objects.get(order_id=order_id)
    assert payment.status == "cancelled" and isinstance(gateway().lookup(payment.idempotency_key), Refused)


def test_a_late_acceptance_of_a_voided_charge_is_a_conflict(ask, order_id, monkeypatch):
    take = MockGateway.charge

    def accept_late(self, key, **body):
        outcome = take(self, key, **body)
        assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"
        return outcome

    monkeypatch.setattr(MockGateway, "charge", accept_late)
    response = charge(ask, order_id)
    assert response.status_code == 409 and response.json()["code"] == "illegal_move"
    assert (response.json()["stored_status"], response.json()["to"]) == ("cancelled", "captured")


def test_an_order_without_a_charge_is_cancelled_and_never_charged(ask, order_id):
    for _ in range(2):
        response = ask("cancel", order_id=order_id)
        assert response.status_code == 200 and response.json()["status"] == "cancelled"
    refused = charge(ask, order_id)
    assert refused.status_code == 409 and refused.json()["code"] == "illegal_move"
    assert not charges()


def test_a_pending_charge_is_voided(ask, order_id, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(ProviderUnavailable("down")))
        charge(ask, order_id)
        down.setattr(MockGateway, "cancel", raising(ProviderUnavailable("down")))
        assert ask("cancel", order_id=order_id).status_code == 202
    assert ask("cancel", order_id=order_id).json()["status"] == "cancelled"


def test_a_captured_charge_cannot_be_voided(ask, order_id):
    charge(ask, order_id)
    response = ask("cancel", order_id=order_id)
    assert response.status_code == 409 and response.json()["code"] == "illegal_move"


def test_partial_refunds_are_made_until_nothing_is_left(ask, order_id):
    charge(ask, order_id)
    part = {"order_id": order_id, "amount": 300, "reference": "torn-page", "reason": "A torn page"}
    for _ in range(2):
        body = ask("refund", **part).json()
        assert (body["status"], body["refunded_amount"], len(body["refunds"])) == ("captured", 300, 1)
    assert body["refunds"][0]["reason"] == "A torn page"
    other = ask("refund", **{**part, "amount": 301})
    assert other.status_code == 409 and other.json()["code"] == "reference_reused"
    refused = ask("refund", order_id=order_id, amount=701)
    assert refused.status_code == 409 and refused.json()["refundable"] == 700
    for _ in range(2):
        body = ask("refund", order_id=order_id).json()
        assert (body["status"], body["refunded_amount"], len(body["refunds"])) == ("refunded", 1000, 2)
    assert ask("refund", order_id=order_id, reference="more").json()["refundable"] == 0
    assert charge(ask, order_id).json()["code"] == "illegal_move"


def test_a_refund_in_doubt_is_retried_under_the_same_key(ask, order_id, monkeypatch):
    charge(ask, order_id)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", raising(ProviderUnavailable("down")))
        response = ask("refund", order_id=order_id)
        assert response.status_code == 202 and response.json()["status"] == "refunding"
    assert ask("refund", order_id=order_id).json()["status"] == "refunded"
    assert {key for method, key in gateway().diary if method == "refund"} == {Refund.objects.get().idempotency_key}


def test_an_order_without_a_captured_charge_cannot_be_refunded(ask, order_id):
    assert ask("refund", order_id=order_id).json()["code"] == "payment_not_found"
    charge(ask, order_id, payment_token="tok_expired_card")
    assert ask("refund", order_id=order_id).json()["code"] == "illegal_move"


def test_sixteen_concurrent_requests_for_a_refund_are_one_refund(ask, order_id):
    charge(ask, order_id)
    responses = all_at_once([lambda: ask("refund", order_id=order_id, amount=100, reference="r")] * 16)
    assert {response.status_code for response in responses} <= {200, 202}
    assert Payment.objects.get().refunded_amount == 100 and Refund.objects.count() == 1


@known_bug("MySQL: lost update")
def test_of_ten_concurrent_refunds_those_within_the_payment_are_made(ask, order_id):
    charge(ask, order_id)
    jobs = [lambda n=n: ask("refund", order_id=order_id, amount=150, reference=f"r-{n}") for n in range(10)]
    responses = all_at_once(jobs)
    assert sorted(response.status_code for response in responses if response.status_code == 409) == [409] * 4
    assert money_kept(order_id) == 100 and Payment.objects.get().refunded_amount == 900


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(1, 700))), max_size=6))
def test_refunds_never_exceed_the_payment(ask, requests):
    order_id, made = str(new_id()), {}
    charge(ask, order_id)
    for reference, amount in requests:
        body = {"order_id": order_id, "reference": reference, **({"amount": amount} if amount else {})}
        response = ask("refund", **body)
        left = 1000 - sum(made.values())
        if reference in made:
            assert response.status_code == (200 if amount in {None, made[reference]} else 409)
        elif 0 < (amount or left) <= left:
            assert response.status_code == 200
            made[reference] = amount or left
        else:
            assert response.status_code == 409 and response.json()["refundable"] == left
    payment = Payment.objects.get(order_id=order_id)
    assert payment.refunded_amount == sum(made.values()) == 1000 - money_kept(order_id)
    assert payment.status == ("refunded" if sum(made.values()) == 1000 else "captured")


def test_a_cancelled_order_is_refunded_what_was_not_refunded_before(place, api, shelve, ask):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    assert ask("refund", order_id=order_id, amount=100, reference="sorry").status_code == 200
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])
    assert sorted(Refund.objects.values_list("amount", flat=True)) == [100, 1000]
    assert api.get(f"/payments/{order_id}").json()["refunded_amount"] == 1100


def test_a_refund_in_doubt_is_settled_when_the_order_is_cancelled(place, api, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", raising(ProviderUnavailable("down")))
        assert ask("refund", order_id=order_id, amount=100, reference="sorry").status_code == 202
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert set(Refund.objects.values_list("status", flat=True)) == {"refunded"} and money_kept(order_id) == 0


def test_a_command_is_refused_while_the_orders_saga_is_running(place, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        order_id = place(("book-123", 1)).json()["order_id"]
    for path, more in [("process", {"amount": 1100, "payment_method": "credit_card"}), ("cancel", {}), ("refund", {})]:
        response = ask(path, order_id=order_id, **more)
        assert response.status_code == 409 and response.json()["code"] == "saga_running"


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
    response = ask(path, **body)
    assert response.status_code == 400 and [each["field"] for each in response.json()["errors"]] == [field]
    assert not Payment.objects.exists()


def test_a_repeat_under_an_idempotency_key_returns_the_stored_response(ask, order_id):
    body = {"order_id": order_id, "amount": 1000, "payment_method": "credit_card"}
    first = ask("process", headers={"Idempotency-Key": "k"}, **body)
    repeat = ask("process", headers={"Idempotency-Key": "k"}, **body)
    assert repeat["Idempotent-Replayed"] == "true" and repeat.json() == first.json()
    other = ask("process", headers={"Idempotency-Key": "k"}, **{**body, "amount": 1})
    assert other.status_code == 422


def test_a_repeat_under_an_idempotency_key_settles_a_charge_in_doubt(ask, order_id, monkeypatch):
    body = {"order_id": order_id, "amount": 1000, "payment_method": "credit_card", "headers": {"Idempotency-Key": "k"}}
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        assert ask("process", **body).status_code == 202
    responses = [ask("process", **body) for _ in range(2)]
    assert [response.json()["status"] for response in responses] == ["captured", "captured"]
    assert responses[1]["Idempotent-Replayed"] == "true" and len(charges()) == 1
