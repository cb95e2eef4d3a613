"""What has become of an order, in one sentence, and what to do about a failure. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from cloudmart.kernel.order import SAGA
from orders.models import Order
from sagas.engine.causes import for_operators
from sagas.models import OperatorCommand, SagaAction, SagaInstance
from sagas.operations.standing import Standing
from sagas.operations.timeline.durations import shown
from shipping.models import Status as ParcelStatus

PARCEL_IN_COMPLETED = {
    ParcelStatus.SHIPPED: gettext_lazy("Completed: the carrier has collected the parcel."),
    ParcelStatus.DELIVERED: gettext_lazy("Completed: the customer has the parcel."),
}
DECLINED_BECAUSE = {
    "insufficient_funds": gettext_lazy("Failed: the payment was declined, the account has not enough funds."),
    "expired_card": gettext_lazy("Failed: the payment was declined, the card has expired."),
    "insufficient_balance": gettext_lazy("Failed: the payment was declined, the wallet has not enough balance."),
    "limit_exceeded": gettext_lazy("Failed: the payment was declined, it exceeds the wallet's limit."),
    "wrong_payment_method": gettext_lazy("Failed: the payment was declined, the token is that of another method."),
}
FAILED_BECAUSE = {
    "payment_declined": gettext_lazy("Failed: the payment was declined."),
    "payment_unavailable": gettext_lazy("Failed: the payment gateway could not be reached."),
    "shipping_failed": gettext_lazy("Failed: the carrier could not be reached."),
    "out_of_stock": gettext_lazy("Failed: out of stock."),
    "reservation_expired": gettext_lazy("Failed: the reservation of the books has expired."),
    "reservation_ended": gettext_lazy("Failed: the reservation of the books was ended."),
    "reservation_differs": gettext_lazy("Failed: another number of copies is reserved."),
}
NOT_SERVED = gettext_lazy("Failed: the carrier refused the parcel.")
UNREACHABLE = {"payment_unavailable", "shipping_failed"}
"""The codes whose sentence says all, unless the provider gave a reason."""

TRY_AGAIN = gettext_lazy("Place the order again.")
ADVICE = {
    "payment_declined": gettext_lazy("Ask the customer for another means of payment, and place the order again."),
    "payment_unavailable": gettext_lazy("Place the order again when the payment gateway responds."),
    "shipping_failed": gettext_lazy("Place the order again when the carrier responds."),
    "out_of_stock": gettext_lazy("Add stock or lower the quantity, and place the order again."),
}
CHECK_ADDRESS = gettext_lazy("Check the address with the customer, and place the order again.")


@dataclass(frozen=True, slots=True)
class Tries:
    """Attempts at a provider call, and the milliseconds from the start of the first to the end of the last."""

    number: int
    duration: float


@dataclass(frozen=True, slots=True)
class Holds:
    """The reservations of a draft: until when its books are held, and whether some are no longer."""

    until: datetime | None = None
    are_expired: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A standing and its sentence; what else is known, in the words of a provider or person; and what to do."""

    standing: Standing
    sentence: str
    detail: str = ""
    advice: str = ""

    @property
    def tone(self) -> str:
        return self.standing.tone


@dataclass(frozen=True, slots=True)
class OrderState:
    """What decides the outcome of an order."""

    order: Order
    standing: Standing
    now: datetime
    saga: SagaInstance | None = None
    tries: Tries | None = None
    attempt: int | None = None
    """The number of the next attempt, of a saga that waits."""
    parcel_status: str = ""
    holds: Holds = Holds()
    cancelled_by: str = ""
    last_command: SagaAction | None = None


def outcome_of(state: OrderState) -> Outcome:
    """Returns the outcome of an order in any state."""
    return SENTENCES[state.standing](state)


def _draft(state: OrderState) -> Outcome:
    if state.holds.until is None:
        sentence = _("Draft: it has no books.")
    elif state.holds.are_expired:
        sentence = _("Draft: its reservations expired at %(time)s.") % {"time": moment(state.holds.until)}
    else:
        sentence = _("Draft: its books are held until %(time)s.") % {"time": moment(state.holds.until)}
    return Outcome(Standing.DRAFT, sentence)


def _completed(state: OrderState) -> Outcome:
    sentence: str | Promise = _("Completed: paid, sold and handed to the carrier.")
    if state.parcel_status in PARCEL_IN_COMPLETED:
        sentence = PARCEL_IN_COMPLETED[ParcelStatus(state.parcel_status)]
    return Outcome(Standing.COMPLETED, str(sentence))


def _failed(state: OrderState) -> Outcome:
    failure = _failure_of(state)
    code, is_refused = failure.get("code", ""), "reason" in failure
    advice: Any = ADVICE.get(code, TRY_AGAIN)
    unknown = _("Failed: %(code)s.") % {"code": code}
    sentence: Any = FAILED_BECAUSE.get(code, unknown)
    says_why = code in UNREACHABLE and not is_refused
    if code == "payment_declined" and failure.get("reason") in DECLINED_BECAUSE:
        sentence, says_why = DECLINED_BECAUSE[failure["reason"]], True
    if code == "shipping_failed" and is_refused:
        sentence, advice = NOT_SERVED, CHECK_ADDRESS
    detail = "" if says_why else _detail_of(failure)
    return Outcome(Standing.FAILED, f"{sentence} {_tries(state.tries)}".strip(), detail, str(advice))


def _tries(tries: Tries | None) -> str:
    if tries is None:
        return ""
    values = {"number": tries.number, "duration": shown(tries.duration)}
    return ngettext("%(number)s try in %(duration)s.", "%(number)s tries in %(duration)s.", tries.number) % values


def _detail_of(failure: dict[str, Any]) -> str:
    """Returns the shortages, or else the sentence of the error."""
    shortages = failure.get("shortages", [])
    lines = [_("%(book_id)s: %(requested)s ordered, %(available)s available") % each for each in shortages]
    return "; ".join(lines) or str(failure.get("detail", ""))


def _timed_out(state: OrderState) -> Outcome:
    sentence = _("Timed out: the order was not finished by its deadline.")
    advice = _("Check that the providers and the workers respond, and place the order again.")
    return Outcome(Standing.TIMED_OUT, sentence, advice=advice)


def _cancelled(state: OrderState) -> Outcome:
    actor = (state.saga.cancelled_by if state.saga else None) or state.cancelled_by or SAGA
    if actor == state.order.customer_id:
        sentence = _("Cancelled by the customer.")
    elif actor == SAGA:
        sentence = _("Cancelled.")
    else:
        sentence = _("Cancelled by an operator, %(actor)s.") % {"actor": actor}
    return Outcome(Standing.CANCELLED, sentence, state.order.cancel_reason)


def _returned(state: OrderState) -> Outcome:
    sentence = _("Returned: the parcel was delivered, and has come back.")
    return Outcome(Standing.RETURNED, sentence, state.order.cancel_reason)


def _waiting(state: OrderState) -> Outcome:
    saga = _saga_of(state)
    values = {"attempt": state.attempt or saga.attempts + 1, "wait": _until(saga.wake_at, state.now)}
    if saga.is_compensating:
        sentence = _("Being undone, and waiting: attempt %(attempt)s is %(wait)s.") % values
    else:
        sentence = _("Waiting: attempt %(attempt)s is %(wait)s.") % values
    return Outcome(state.standing, sentence, advice=_deadline(saga, state.now))


def _until(time: datetime | None, now: datetime) -> str:
    if time is None or time <= now:
        return pgettext("an attempt is", "due now")
    return pgettext("an attempt is", "due in %(duration)s") % {"duration": _time_to(time, now)}


def _time_to(time: datetime, now: datetime) -> str:
    return shown((time - now).total_seconds() * 1000)


def moment(time: datetime) -> str:
    """Returns a time in the time zone and the format of the page."""
    return formats.date_format(timezone.localtime(time), "DATETIME_FORMAT")


def _deadline(saga: SagaInstance, now: datetime) -> str:
    if saga.deadline_at is None or saga.is_compensating:
        return ""
    if saga.deadline_at <= now:
        return _("Its deadline has passed: the next attempt undoes the order.")
    return _("In %(duration)s, at its deadline, the order is undone.") % {"duration": _time_to(saga.deadline_at, now)}


def _attention(state: OrderState) -> Outcome:
    saga = _saga_of(state)
    values = {"wait": _until(saga.wake_at, state.now)}
    number = state.attempt - 1 if state.attempt else saga.attempts
    sentence = ngettext(
        "Needs attention: %(number)s attempt has failed, the next is %(wait)s.",
        "Needs attention: %(number)s attempts have failed, the next is %(wait)s.",
        number,
    ) % {**values, "number": number}
    why = for_operators(saga.attention_code, saga.attention or "")
    return Outcome(state.standing, sentence, why, _deadline(saga, state.now))


def _abandoned(state: OrderState) -> Outcome:
    saga = _saga_of(state)
    values = {"time": moment(saga.abandoned_at or state.now)}
    command = state.last_command
    if command and command.command == OperatorCommand.ABANDON:
        sentence = _("Abandoned by %(actor)s at %(time)s: no worker retries it.") % {**values, "actor": command.actor}
    else:
        sentence = _("Abandoned at %(time)s: no worker retries it.") % values
    return Outcome(state.standing, sentence, saga.attention or "", _("Resume it, or compensate it."))


def _running(state: OrderState) -> Outcome:
    status = state.saga.status if state.saga else state.order.get_status_display()
    return Outcome(state.standing, _("In progress: it has reached %(state)s.") % {"state": status})


def _undoing(state: OrderState) -> Outcome:
    return Outcome(state.standing, _("Being undone."), _detail_of(_failure_of(state)))


def _saga_of(state: OrderState) -> SagaInstance:
    if state.saga is None:
        raise ValueError(f"{state.standing} without a saga")
    return state.saga


def _failure_of(state: OrderState) -> dict[str, Any]:
    return (state.saga.failure if state.saga else None) or {}


SENTENCES = {
    Standing.DRAFT: _draft,
    Standing.RUNNING: _running,
    Standing.UNDOING: _undoing,
    Standing.WAITING: _waiting,
    Standing.ATTENTION: _attention,
    Standing.ABANDONED: _abandoned,
    Standing.COMPLETED: _completed,
    Standing.FAILED: _failed,
    Standing.TIMED_OUT: _timed_out,
    Standing.CANCELLED: _cancelled,
    Standing.RETURNED: _returned,
}
