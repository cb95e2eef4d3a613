"""The desk's commands that concern no saga: a note, a mail sent again, a new draft with the same books."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order_numbers import shown
from orders import services
from orders.mails import queue
from orders.models import Mail
from sagas.desk.ordering_again import LeftOut
from sagas.desk.ordering_again import order_again as open_draft_like
from sagas.operations.records import OrderRecords
from sagas.operations.reports import Report, Result
from sagas.operations.running import nothing_done
from sagas.operations.why_not import sentence_of


@dataclass(frozen=True, slots=True)
class NewDraft:
    """The draft that was opened, and what it has not of the earlier order."""

    draft_id: UUID
    report: Report


def add_note(records: OrderRecords, author: str, text: str) -> Report:
    durable(services.add_note)(records.order.pk, author, text)
    return Report(Result.DONE, gettext("The note is added. Only operators see it."))


def resend(mail: Mail) -> Report:
    """Has the mail sent once more by a worker."""
    try:
        queue.resend(mail.pk)
    except IllegalMove:
        return nothing_done(gettext("The mail is waiting to be sent."))
    return Report(Result.DONE, gettext("A worker sends the mail once more."))


def order_again(records: OrderRecords, actor: str) -> NewDraft:
    """Opens a draft with the books of the order. Raises what `ordering_again.order_again` raises."""
    again = durable(open_draft_like)(records.order, actor)
    opened = gettext("This new draft has the books of order %(number)s, at today's prices.")
    text = opened % {"number": shown(records.order.pk)}
    if not again.left_out:
        return NewDraft(again.draft_id, Report(Result.DONE, text))
    left_out = " ".join(_left_out(each) for each in again.left_out)
    return NewDraft(again.draft_id, Report(Result.WAITS, f"{text} {left_out}"))


def _left_out(each: LeftOut) -> str:
    return gettext("Not taken: %(name)s. %(why)s") % {"name": each.name, "why": sentence_of(each.refusal)}
