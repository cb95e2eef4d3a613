"""What a command on an order would do, in sentences with the order's own figures; and who reads its reason."""

from collections.abc import Callable

from django.utils.translation import gettext, ngettext

from cloudmart.kernel.money import formatted
from inventory.models import Status as ReservationStatus
from orders.models import MailStatus
from payments.models import Status as PaymentStatus
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.records import OrderRecords
from shipping.models import Status as ParcelStatus

Sentences = list[str]


def consequences(command: DeskCommand, records: OrderRecords) -> Sentences:
    """Returns what the command would do to the order as it is now."""
    return [sentence for sentence in CONSEQUENCES[command](records) if sentence]


def reason_readers(command: DeskCommand, records: OrderRecords) -> str:
    """Returns whether the customer reads the reason of this command; "" if it takes none."""
    if command in {DeskCommand.CANCEL, DeskCommand.COMPENSATE} and records.is_draft:
        return gettext("The customer can read the reason in the order. There is no mail.")
    if command in {DeskCommand.CANCEL, DeskCommand.COMPENSATE}:
        if records.saga and records.saga.is_compensating:
            return gettext("Only operators read the reason.")
        return gettext("The customer reads the reason in the mail and in the order.")
    if command == DeskCommand.RETURN:
        return gettext("The customer can read the reason in the order. The mail does not contain it.")
    if command == DeskCommand.ABANDON:
        return gettext("The customer can read the reason in the status of the order. There is no mail.")
    return gettext("Only operators read the reason.") if command in TAKES_REASON else ""


TAKES_REASON = {
    DeskCommand.CANCEL,
    DeskCommand.RETRY,
    DeskCommand.COMPENSATE,
    DeskCommand.ABANDON,
    DeskCommand.RESUME,
    DeskCommand.RETURN,
}


def refunded_by_undoing(records: OrderRecords) -> int:
    """Returns what undoing the order would refund, in minor units."""
    payment = records.payment
    return payment.refundable if payment and payment.status == PaymentStatus.CAPTURED else 0


def _undo(records: OrderRecords) -> Sentences:
    sentences = [_refund(records), _stock(records), _parcel(records)]
    return sentences if any(sentences) else [gettext("Nothing is charged, reserved or sent yet: only the order ends.")]


def _refund(records: OrderRecords) -> str:
    payment = records.payment
    if amount := refunded_by_undoing(records):
        return gettext("Refunds %(amount)s.") % {"amount": formatted(amount)}
    if payment and payment.status == PaymentStatus.PENDING:
        return gettext("Voids the charge of %(amount)s, whose outcome is not known.") % {
            "amount": formatted(payment.amount)
        }
    if payment and payment.status == PaymentStatus.REFUNDING:
        return gettext("Repeats the refund that is not confirmed yet.")
    return ""


def _stock(records: OrderRecords) -> str:
    sold, held = records.copies(ReservationStatus.CONFIRMED), records.copies(ReservationStatus.ACTIVE)
    if sold:
        text = ngettext(
            "Puts %(copies)s copy of %(books)s back into stock.",
            "Puts %(copies)s copies of %(books)s back into stock.",
            sum(sold.values()),
        )
        return text % {"copies": sum(sold.values()), "books": _books(records, sold)}
    if held:
        text = ngettext(
            "Releases %(copies)s reserved copy of %(books)s.",
            "Releases %(copies)s reserved copies of %(books)s.",
            sum(held.values()),
        )
        return text % {"copies": sum(held.values()), "books": _books(records, held)}
    return ""


def _books(records: OrderRecords, copies: dict[str, int]) -> str:
    """Returns the title of the only book, or how many books there are."""
    if len(copies) == 1:
        return gettext("“%(title)s”") % {"title": records.title_of(next(iter(copies)))}
    return ngettext("%(books)s book", "%(books)s books", len(copies)) % {"books": len(copies)}


def _parcel(records: OrderRecords) -> str:
    parcel = records.parcel
    if parcel and parcel.status in {ParcelStatus.PENDING, ParcelStatus.ARRANGED, ParcelStatus.CANCELLING}:
        return gettext("Calls the parcel off.")
    return ""


def _forward(records: OrderRecords) -> Sentences:
    charged = records.payment is not None and records.payment.status == PaymentStatus.CAPTURED
    arranged = records.parcel is not None and records.parcel.status == ParcelStatus.ARRANGED
    total = formatted(records.order.total)
    return [
        "" if charged else gettext("Charges %(amount)s, unless it is charged already.") % {"amount": total},
        "" if arranged else gettext("Arranges the delivery."),
        gettext("Completes the order."),
        gettext("If the payment or the delivery is refused, the order is undone."),
    ]


def _cancel(records: OrderRecords) -> Sentences:
    if records.is_draft:
        return [_stock(records), gettext("The draft stays on record as a cancelled order.")]
    saga = records.saga
    if saga and saga.abandoned_at:
        return [gettext("The order is abandoned: it is undone once it is resumed."), *_undo(records)]
    if saga and not saga.is_finished:
        return [gettext("The order is undone from its next step on."), *_undo(records)]
    return [*_undo(records), gettext("The customer gets a mail.")]


def _resume(records: OrderRecords) -> Sentences:
    return _forward(records) if records.goes_forward else _undo(records)


def _compensate(records: OrderRecords) -> Sentences:
    return [*_undo(records), gettext("The customer gets a mail.")]


def _abandon(records: OrderRecords) -> Sentences:
    payment, held = records.payment, records.copies(ReservationStatus.ACTIVE)
    charged = payment.amount if payment and payment.status in {PaymentStatus.CAPTURED, PaymentStatus.REFUNDING} else 0
    return [
        gettext("No worker continues the order until it is resumed or compensated. Nothing is undone."),
        gettext("%(amount)s stays charged.") % {"amount": formatted(charged)} if charged else "",
        gettext("The reserved copies stay reserved until the reservation expires.") if held else "",
    ]


def _return(records: OrderRecords) -> Sentences:
    return [_refund(records), _stock(records), gettext("The customer gets a mail.")]


def _order_again(records: OrderRecords) -> Sentences:
    return [
        gettext("Opens a new draft for %(customer)s with the same books at today's prices, and reserves them.")
        % {"customer": records.order.customer.name},
        gettext("Nothing is charged until the draft is confirmed."),
    ]


def _ship(records: OrderRecords) -> Sentences:
    return [
        gettext("Records that the carrier has collected the parcel. The customer gets a mail."),
        gettext("From then on the order cannot be cancelled, only returned."),
    ]


def _deliver(records: OrderRecords) -> Sentences:
    return [gettext("Records that the customer has the parcel. From then on the order can be returned.")]


def _resend(records: OrderRecords) -> Sentences:
    address = records.order.customer.email
    if not address:
        return [gettext("The customer has no e-mail address: enter one first.")]
    mails = sum(mail.may_move(MailStatus.PENDING) for mail in records.mails)
    text = ngettext("Sends the mail once more, to %(address)s.", "Sends the chosen mail to %(address)s.", mails)
    return [text % {"address": address}]


def _note(records: OrderRecords) -> Sentences:
    return [gettext("Adds a note to the order. Customers never see notes.")]


CONSEQUENCES: dict[DeskCommand, Callable[[OrderRecords], Sentences]] = {
    DeskCommand.CANCEL: _cancel,
    DeskCommand.RETRY: _resume,
    DeskCommand.COMPENSATE: _compensate,
    DeskCommand.ABANDON: _abandon,
    DeskCommand.RESUME: _resume,
    DeskCommand.RETURN: _return,
    DeskCommand.ORDER_AGAIN: _order_again,
    DeskCommand.SHIP: _ship,
    DeskCommand.DELIVER: _deliver,
    DeskCommand.RESEND: _resend,
    DeskCommand.NOTE: _note,
}
