"""A command on one order: a page that says what it does, and then what it has really done."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from cloudmart.api.deadlines import request_deadline
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_REASON
from cloudmart.kernel.viewers import actor_of
from orders.errors import OrderNotFound
from orders.models import LONGEST_NOTE, Mail, MailStatus
from sagas.operations import other_commands
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.offers import Offer, may, offer_of
from sagas.operations.records import OrderRecords, records_of
from sagas.operations.reports import Report, Result
from sagas.operations.running import failed, nothing_done, refused, run

TEMPLATE = "admin/sagas/order_command.html"

LEVELS = {
    Result.DONE: messages.SUCCESS,
    Result.CONTINUES: messages.INFO,
    Result.WAITS: messages.WARNING,
    Result.UNDONE: messages.WARNING,
    Result.NOTHING_DONE: messages.WARNING,
    Result.REFUSED: messages.ERROR,
    Result.FAILED: messages.ERROR,
}
"""The tone in which a result is shown: green only for what was done."""

DANGEROUS = {DeskCommand.CANCEL, DeskCommand.COMPENSATE, DeskCommand.ABANDON, DeskCommand.RETURN}


class OneLine(forms.CharField):
    """Text in one line: a line break in it counts as a space."""

    def to_python(self, value: Any) -> str:
        return " ".join(str(super().to_python(value)).split())


class ReasonForm(forms.Form):
    """The reason of a command."""

    reason = OneLine(label=_("Reason"), max_length=LONGEST_REASON, widget=UnfoldAdminTextInputWidget)

    def __init__(self, offer: Offer, *args: Any) -> None:
        super().__init__(*args)
        self.fields["reason"].required = offer.requires_reason
        self.fields["reason"].help_text = offer.reason_readers


class NoteForm(forms.Form):
    text = OneLine(label=_("Note"), max_length=LONGEST_NOTE, widget=UnfoldAdminTextareaWidget)


class MailForm(forms.Form):
    """One of the order's mails that may be sent again, the newest first."""

    mail = forms.ChoiceField(label=_("Mail"), widget=UnfoldAdminSelectWidget)

    def __init__(self, mails: list[Mail], *args: Any) -> None:
        super().__init__(*args)
        self.mails = {str(mail.pk): mail for mail in reversed(mails) if mail.may_move(MailStatus.PENDING)}
        field: Any = self.fields["mail"]
        field.choices = [(pk, _label_of(mail)) for pk, mail in self.mails.items()]

    @property
    def chosen(self) -> Mail:
        return self.mails[self.cleaned_data["mail"]]


def _label_of(mail: Mail) -> str:
    return f"{mail.get_outcome_display()}: {mail.get_status_display()}"


@require_http_methods(["GET", "HEAD", "POST"])
def order_command(request: HttpRequest, order_id: UUID, command: str) -> HttpResponse:
    """Shows what the command would do; once it is confirmed, runs it and says what it has done.

    Raises Http404 and PermissionDenied.
    """
    chosen, records = _command_of(command), _records_of(order_id)
    if not may(request.user, chosen, records):
        raise PermissionDenied
    offer = offer_of(chosen, records)
    form = _form_of(offer, records, request.POST if request.method == "POST" else None)
    if request.method != "POST" or (offer.is_enabled and not form.is_valid()):
        return TemplateResponse(request, TEMPLATE, _context(request, offer, records, form))
    if not offer.is_enabled:
        return _answered(request, nothing_done(offer.why_not), order_id)
    return _run(request, chosen, records, form)


def _command_of(name: str) -> DeskCommand:
    if name not in DeskCommand.values:
        raise Http404
    return DeskCommand(name)


def _records_of(order_id: UUID) -> OrderRecords:
    try:
        return records_of(order_id)
    except OrderNotFound:
        raise Http404 from None


def _form_of(offer: Offer, records: OrderRecords, data: Any) -> forms.Form:
    if offer.command == DeskCommand.NOTE:
        return NoteForm(data)
    if offer.command == DeskCommand.RESEND:
        return MailForm(list(records.mails), data)
    return ReasonForm(offer, data) if offer.takes_reason else forms.Form(data)


def _context(request: HttpRequest, offer: Offer, records: OrderRecords, form: forms.Form) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": f"{offer.label}: {shown(records.order.pk)}",
        "offer": offer,
        "records": records,
        "order": records.order,
        "form": form,
        "is_dangerous": offer.command in DANGEROUS,
    }


def _run(request: HttpRequest, command: DeskCommand, records: OrderRecords, form: Any) -> HttpResponse:
    actor, order_id = actor_of(request.user), records.order.pk
    if command == DeskCommand.ORDER_AGAIN:
        return _order_again(request, records, actor)
    if command == DeskCommand.NOTE:
        report = other_commands.add_note(records, actor, form.cleaned_data["text"])
    elif command == DeskCommand.RESEND:
        report = _resend(request, form.chosen)
    else:
        reason = form.cleaned_data.get("reason", "")
        report = run(command, records, actor, reason, request_deadline(request))
    return _answered(request, report, order_id)


def _order_again(request: HttpRequest, records: OrderRecords, actor: str) -> HttpResponse:
    try:
        again = other_commands.order_again(records, actor)
    except DomainError as refusal:
        return _answered(request, refused(refusal), records.order.pk)
    except Exception as error:
        return _answered(request, failed(error), records.order.pk)
    return _answered(request, again.report, again.draft_id)


def _resend(request: HttpRequest, mail: Mail) -> Report:
    report = other_commands.resend(mail)
    if report.result == Result.DONE:
        admin.site.get_model_admin(Mail).log_change(request, mail, "Resent.")
    return report


def _answered(request: HttpRequest, report: Report, order_id: UUID) -> HttpResponse:
    """Redirects to the page of the order, with the report as a message."""
    messages.add_message(request, LEVELS[report.result], report.text)
    return redirect("admin:orders_order_change", order_id)
