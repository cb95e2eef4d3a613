"""Operator commands on the sagas selected in the admin: a confirmation page, then one saga after another."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from cloudmart.api.deadlines import request_deadline
from cloudmart.api.problems import operator_message
from cloudmart.kernel.viewers import actor_of
from cloudmart.pages.base import ReadOnlyAdmin
from sagas.desk.reasons import CANCELLED_BY_SHOP, RETURNED_BY_CUSTOMER, STOPPED_BY_SHOP
from sagas.models import OperatorCommand, SagaInstance
from sagas.operations.commands import HANDLERS, Handler, compensate_saga, run_command
from sagas.selectors import find_saga

MOST_AT_ONCE = 100
"""Sagas in one command: more are not read before they are confirmed."""

CONFIRMED = "confirmed"
TEMPLATE = "admin/sagas/sagainstance/confirm_command.html"

CONSEQUENCES = {
    OperatorCommand.CANCEL: "Completed orders are undone: parcels are cancelled, money is refunded, books put back. "
    "Unfinished orders are undone from their next step on.",
    OperatorCommand.RETRY: "These sagas are resumed now, each in its direction: orders may be charged and sent, or "
    "refunded.",
    OperatorCommand.COMPENSATE: "These orders are undone now: parcels cancelled, money refunded, books put back.",
    OperatorCommand.ABANDON: "These sagas are not retried until they are resumed or compensated. Nothing is undone: "
    "what is reserved stays reserved, what is owed stays owed.",
    OperatorCommand.RESUME: "These abandoned sagas are resumed now, each in its direction: orders may be charged and "
    "sent, or refunded.",
    OperatorCommand.RETURN: "The parcels of these orders were delivered and have come back: what is left of the "
    "payments is refunded, and the books are put back into stock.",
}
"""What each command does, as the confirmation page says it."""

Message = tuple[int, str]
"""Level and text."""

DEFAULT_REASONS = {
    OperatorCommand.CANCEL: CANCELLED_BY_SHOP,
    OperatorCommand.COMPENSATE: STOPPED_BY_SHOP,
    OperatorCommand.RETURN: RETURNED_BY_CUSTOMER,
}
NOT_WHEN_ABANDONED = {
    OperatorCommand.CANCEL,
    OperatorCommand.RETRY,
    OperatorCommand.COMPENSATE,
    OperatorCommand.RETURN,
}
BULK_HANDLERS: dict[str, Handler] = {**HANDLERS, OperatorCommand.COMPENSATE: partial(compensate_saga, abandoned=False)}


class ReasonForm(forms.Form):
    """The reason of a command."""

    reason = forms.CharField(max_length=200)

    def __init__(self, command: OperatorCommand, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = command == OperatorCommand.ABANDON


def ask_or_run(
    command: OperatorCommand, admin: ReadOnlyAdmin, request: HttpRequest, selected: QuerySet[SagaInstance]
) -> TemplateResponse | None:
    """Returns the confirmation page; or, once the command is confirmed, runs it and returns None."""
    sagas = list(selected[: MOST_AT_ONCE + 1])
    if len(sagas) > MOST_AT_ONCE:
        admin.message_user(request, f"Select at most {MOST_AT_ONCE} at once.", messages.ERROR)
        return None
    is_confirmed = CONFIRMED in request.POST
    form = ReasonForm(command, request.POST) if is_confirmed else ReasonForm(command, initial=request.POST.dict())
    if not is_confirmed or not form.is_valid():
        return confirmation(command, admin, request, sagas, form)
    reason, should_stop = form.cleaned_data["reason"] or DEFAULT_REASONS.get(command, ""), request_deadline(request)

    def run(order_id: UUID) -> Message:
        if why := left_out(command, find_saga(order_id)):
            return messages.WARNING, f"{order_id} was left out. {why}"
        saga = run_command(command, order_id, actor_of(request.user), reason, should_stop, handlers=BULK_HANDLERS)
        if saga.attention:
            return messages.WARNING, f"{order_id} is {saga.status}. {saga.attention}"
        return messages.SUCCESS, f"{order_id} is {saga.status}."

    run_each(run, [saga.order_id for saga in sagas], admin, request)
    return None


def confirmation(
    command: OperatorCommand, admin: ReadOnlyAdmin, request: HttpRequest, sagas: list[SagaInstance], form: forms.Form
) -> TemplateResponse:
    """Returns the page that lists the sagas and says what the command will do."""
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{command.label} {len(sagas)} saga{'' if len(sagas) == 1 else 's'}?",
        "opts": admin.opts,
        "media": admin.media,
        "command": command,
        "consequence": CONSEQUENCES[command],
        "rows": [(saga, saga.order.totals.total, left_out(command, saga)) for saga in sagas],
        "form": form,
        "checkbox": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
    }
    return TemplateResponse(request, TEMPLATE, context)


def left_out(command: OperatorCommand, saga: SagaInstance) -> str:
    """Returns why a command on many sagas leaves this one out; "" if it does not."""
    if command in NOT_WHEN_ABANDONED and saga.abandoned_at:
        return "It is abandoned: resume it first."
    if command == OperatorCommand.RESUME and not saga.abandoned_at:
        return "It is not abandoned."
    return ""


def run_each(
    run: Callable[[UUID], Message], order_ids: Iterable[UUID], admin: ReadOnlyAdmin, request: HttpRequest
) -> None:
    """Runs a command for one order after another, with a message for each. An error for one stops no other."""
    for order_id in order_ids:
        try:
            level, text = run(order_id)
        except Exception as error:
            level, text = messages.ERROR, f"{order_id}: {operator_message(error)}"
        admin.message_user(request, text, level)
