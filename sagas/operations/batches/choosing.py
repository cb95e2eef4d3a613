"""Which of the chosen orders a batch includes, which it leaves out and why, and what it does in all."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext, ngettext_lazy

from cloudmart.kernel.money import formatted
from payments.models import Status as PaymentStatus
from sagas.operations.consequences import consequences, reason_readers, refunded_by_undoing
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.records import OrderRecords, records_of_all
from sagas.operations.why_not import why_not

MOST_AT_ONCE = 1000
"""Orders in one batch."""

COMMANDS = (
    DeskCommand.CANCEL,
    DeskCommand.RETRY,
    DeskCommand.COMPENSATE,
    DeskCommand.ABANDON,
    DeskCommand.RETURN,
)
"""The commands for many orders. Abandoned orders are resumed one by one."""

UNDOING = {DeskCommand.CANCEL, DeskCommand.COMPENSATE, DeskCommand.RETURN}


@dataclass(frozen=True, slots=True)
class Chosen:
    """An order that was chosen: what the command would do to it, or why it is left out."""

    records: OrderRecords
    consequence: str
    why_left_out: str

    @property
    def order_id(self) -> UUID:
        return self.records.order.pk


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen orders as a batch would run them."""

    command: DeskCommand
    included: tuple[Chosen, ...]
    left_out: tuple[Chosen, ...]

    @property
    def reason_readers(self) -> str:
        """Returns whether the customers read the reason, as the page of one of the orders would say."""
        texts = (reason_readers(self.command, each.records) for each in self.included)
        return " ".join(dict.fromkeys(texts))

    @property
    def sums(self) -> list[str]:
        """Returns what the command refunds and charges in all."""
        records = [each.records for each in self.included]
        undone = [each for each in records if self.command in UNDOING or not each.goes_forward]
        refunds = 0 if self.command == DeskCommand.ABANDON else sum(map(refunded_by_undoing, undone))
        charges = sum(map(_charged_by_continuing, records)) if self.command == DeskCommand.RETRY else 0
        sentences = [gettext("Refunds %(amount)s in all.") % {"amount": formatted(refunds)}] if refunds else []
        return sentences + (
            [gettext("Charges up to %(amount)s in all.") % {"amount": formatted(charges)}] if charges else []
        )


def select(command: DeskCommand, order_ids: Collection[UUID]) -> Selection:
    """Returns which of these orders the command would be run on."""
    chosen = [_chosen(command, records) for records in records_of_all(order_ids).values()]
    return Selection(
        command,
        tuple(each for each in chosen if not each.why_left_out),
        tuple(each for each in chosen if each.why_left_out),
    )


def why_left_out(command: DeskCommand, records: OrderRecords) -> str:
    """Returns why a batch leaves the order out; "" if it does not. An abandoned order is always left out."""
    if records.saga is None:
        return gettext("It was never placed.")
    if records.saga.abandoned_at:
        return gettext("It is abandoned: what becomes of it is decided on its own page.")
    return why_not(command, records)


TITLES = {
    DeskCommand.CANCEL: ngettext_lazy("Cancel %(number)s order", "Cancel %(number)s orders", "number"),
    DeskCommand.RETRY: ngettext_lazy("Retry %(number)s order", "Retry %(number)s orders", "number"),
    DeskCommand.COMPENSATE: ngettext_lazy("Compensate %(number)s order", "Compensate %(number)s orders", "number"),
    DeskCommand.ABANDON: ngettext_lazy("Abandon %(number)s order", "Abandon %(number)s orders", "number"),
    DeskCommand.RETURN: ngettext_lazy("Return %(number)s order", "Return %(number)s orders", "number"),
}


def title_of(selection: Selection) -> str:
    """Returns the command with the number of orders that are included."""
    return str(TITLES[selection.command] % {"number": len(selection.included)})


def _chosen(command: DeskCommand, records: OrderRecords) -> Chosen:
    obstacle = why_left_out(command, records)
    return Chosen(records, "" if obstacle else " ".join(consequences(command, records)), obstacle)


def _charged_by_continuing(records: OrderRecords) -> int:
    is_charged = records.payment is not None and records.payment.status == PaymentStatus.CAPTURED
    return records.order.total if records.goes_forward and not is_charged else 0
