"""The outcome of a provider call is recorded once, and one that contradicts the record is never lost."""

import pytest

from cloudmart.database.states import move_all, settle
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, Refused, Unknown
from cloudmart.providers.unsettled import Found
from payments import direct as payments
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment, Refund, Status
from payments.services import charge, refund
from sagas.operations.stale_intents import KINDS, resume
from shipping import direct as shipping
from shipping.errors import ShippingFailed
from shipping.models import Shipment
from shipping.services import arrange, cancel
from tests.acceptance.test_payment_commands import raising
from tests.hostile.test_stale_intents import let_time_pass

DECLINED = Refused(PaymentDeclined(reason="expired_card"))
FAILED = Refused(ShippingFailed(reason="not_served"))
HERE = Address("150-0001", "1-2-3 Jingumae")


@pytest.fixture
def order_id(transactional_db):
    """Of an order that no saga knows."""
    return new_id()


@pytest.fixture
def request_of(order_id):
    return payments.ChargeRequest(order_id, 1000, "credit_card")


@pytest.fixture
def during(monkeypatch):
    """Runs something between the gateway's acceptance of a call and its response; once."""

    def during(method, act):
        original, acts = getattr(MockGateway, method), [act]

        def call(self, key, **body):
            outcome = original(self, key, **body)
            if acts:
                acts.pop()()
            return outcome

        monkeypatch.setattr(MockGateway, method, call)

    return during


def charge_in_doubt(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockGateway, "charge", raising(OutcomeUnknown("silence")))
        patch.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        payments.process(request)


def resume_stale(kind, row, order_id):
    let_time_pass()
    assert resume(next(each for each in KINDS if each.name == kind), Found(row.pk, order_id))


def errors(lines):
    return [line for line in lines() if line["level"] == "error"]


def test_an_outcome_is_recorded_once(order_id, request_of):
    intent = durable(charge.begin)(request_of)
    for _ in range(2):
        durable(charge.settle)(intent, Accepted("txn"))
    payment = Payment.objects.get()
    assert (payment.status, payment.transaction_id) == ("captured", "txn")


@pytest.mark.parametrize(("first", "second"), [(Accepted(), DECLINED), (DECLINED, Accepted())])
def test_a_charge_has_one_outcome(order_id, request_of, first, second):
    intent = durable(charge.begin)(request_of)
    durable(charge.settle)(intent, first)
    status = Payment.objects.get().status
    with pytest.raises(IllegalMove):
        durable(charge.settle)(intent, second)
    assert Payment.objects.get().status == status


def test_a_second_acceptance_changes_nothing_once_the_charge_is_refunded(order_id, request_of):
    intent = durable(charge.begin)(request_of)
    payments.process(request_of)
    payments.refund(payments.PartialRefund(order_id))
    durable(charge.settle)(intent, Accepted())
    assert Payment.objects.get().status == "refunded"


def test_a_retried_transaction_settles_the_same_reversal(order_id, request_of):
    payments.process(request_of)
    intent = durable(refund.begin)(request_of)
    outcome = refund.call(intent)
    for _ in range(2):
        durable(refund.settle)(intent, outcome)
    assert Payment.objects.get().status == "refunded" and Refund.objects.get().status == "refunded"


def test_a_retried_transaction_settles_the_same_void(order_id, request_of):
    charge_in_doubt(request_of)
    intent = durable(refund.begin)(request_of)
    for _ in range(2):
        durable(refund.settle)(intent, Accepted())
    assert Payment.objects.get().status == "cancelled"


def test_commands_that_share_an_intent_both_succeed(order_id, request_of, during):
    during("charge", lambda: payments.process(request_of))
    assert payments.process(request_of).status == "captured"
    assert len({key for _, key in gateway().diary}) == 1


def test_a_refund_that_two_commands_share_is_settled_once(order_id, request_of, during):
    part = payments.PartialRefund(order_id, 300, "torn-page")
    payments.process(request_of)
    during("refund", lambda: payments.refund(part))
    payment = payments.refund(part)
    assert (payment.status, payment.refunded_amount) == ("captured", 300)
    assert Refund.objects.get().status == "refunded"


def test_a_late_acceptance_of_a_voided_charge_is_an_error_of_the_command(order_id, request_of, during):
    during("charge", lambda: payments.cancel(order_id))
    with pytest.raises(IllegalMove) as raised:
        payments.process(request_of)
    assert (raised.value.details["stored_status"], raised.value.details["to"]) == ("cancelled", "captured")
    assert Payment.objects.get().status == "cancelled"


def test_a_late_acceptance_of_a_voided_charge_is_logged_by_the_worker(order_id, request_of, during, lines):
    charge_in_doubt(request_of)
    during("charge", lambda: payments.cancel(order_id))
    resume_stale("charge", Payment.objects.get(), order_id)
    assert [line["order_id"] for line in errors(lines)] == [str(order_id)]
    assert Payment.objects.get().status == "cancelled"


def test_a_late_refusal_of_a_voided_charge_is_no_error_of_the_worker(order_id, request_of, monkeypatch, lines):
    charge_in_doubt(request_of)

    def void_and_refuse(self, key, **body):
        payments.cancel(order_id)
        return self.lookup(key)

    monkeypatch.setattr(MockGateway, "charge", void_and_refuse)
    resume_stale("charge", Payment.objects.get(), order_id)
    assert not errors(lines) and Payment.objects.get().status == "cancelled"


@pytest.mark.parametrize("kind", ["charge", "refund"])
def test_a_worker_beside_a_repeated_command_changes_nothing(order_id, request_of, during, monkeypatch, lines, kind):
    part = payments.PartialRefund(order_id, 1000, "all")
    if kind == "charge":
        charge_in_doubt(request_of)
        during("charge", lambda: payments.process(request_of))
    else:
        payments.process(request_of)
        with monkeypatch.context() as patch:
            patch.setattr(MockGateway, "refund", raising(OutcomeUnknown("silence")))
            payments.refund(part)
        during("refund", lambda: payments.refund(part))
    model = Payment if kind == "charge" else Refund
    resume_stale(kind, model.objects.get(), order_id)
    assert Payment.objects.get().status == ("captured" if kind == "charge" else "refunded")
    assert not errors(lines)


@pytest.mark.parametrize("outcome", [Accepted("trk"), FAILED], ids=["accepted", "refused"])
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_any_late_outcome_of_a_delivery_agrees_with_its_cancellation(order_id, outcome, is_cancelled):
    """The carrier undoes a delivery that it has accepted, and refuses one that comes later."""
    parcel = shipping.Parcel(order_id, HERE)
    intent = durable(arrange.begin)(parcel)
    cancellation = durable(cancel.begin)(parcel)
    if is_cancelled:
        durable(cancel.settle)(cancellation, Accepted())
    durable(arrange.settle)(intent, outcome)
    assert Shipment.objects.get().status == ("cancelled" if is_cancelled else "cancelling")


def test_a_delivery_has_one_outcome(order_id):
    intent = durable(arrange.begin)(shipping.Parcel(order_id, HERE))
    durable(arrange.settle)(intent, Accepted("trk"))
    with pytest.raises(IllegalMove):
        durable(arrange.settle)(intent, FAILED)
    assert Shipment.objects.get().status == "arranged"


def test_all_rows_move_or_none(transactional_db):
    pks = []
    for status in (Status.PENDING, Status.CAPTURED):
        key = new_id()
        row = Payment.objects.create(order_id=key, customer_id="c", amount=1, status=status, idempotency_key=key)
        pks.append(row.pk)
    with pytest.raises(IllegalMove):
        durable(move_all)(Payment, pks, Status.DECLINED)
    assert set(Payment.objects.values_list("status", flat=True)) == {"pending", "captured"}
    durable(move_all)(Payment, pks[:1], Status.DECLINED)
    durable(move_all)(Payment, [], Status.DECLINED)


def test_settling_leaves_the_record_in_memory_as_it_was(order_id, request_of):
    """The transaction may run again with the same intent."""
    payment = durable(charge.begin)(request_of).record
    settle(payment, Status.CAPTURED, transaction_id="txn")
    assert (payment.status, payment.transaction_id) == ("pending", "")
