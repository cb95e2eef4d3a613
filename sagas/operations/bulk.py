"""Operator commands on the sagas selected in the admin: first a page that asks for confirmation, then one by one."""

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

from cloudmart.api.admin import ReadOnlyAdmin
from cloudmart.api.deadlines import request_deadline
from cloudmart.api.problems import operator_message
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.viewers import actor_of
from sagas.desk.cancelling import CANCELLED_BY_SHOP
from sagas.models import SagaInstance, Verb
from sagas.operations.commands import ACTS, STOPPED, Act, command, compensate_saga
from sagas.selectors import find_saga

MOST_AT_ONCE = 100
"""Sagas: as many as are read through before they are confirmed."""

CONFIRMED = "confirmed"
TEMPLATE = "admin/sagas/sagainstance/confirm_command.html"

CONSEQUENCES = {
    Verb.CANCEL: "Completed orders are undone: the parcel is called off, the money refunded, the books put back. "
    "Orders under way turn back at their next step.",
    Verb.RETRY: "These sagas go on now, each in its direction: orders may be charged and sent, or refunded.",
    Verb.COMPENSATE: "All that was done for these orders is undone now: parcels are called off, money is refunded, "
    "books are put back.",
    Verb.GIVE_UP: "Nobody tries these sagas again until they are resumed or compensated. Nothing is undone: what they "
    "hold stays held, what is owed stays owed.",
    Verb.RESUME: "These abandoned sagas go on now, each in its direction: orders may be charged and sent, or "
    "refunded.",
}
"""What each command does, as its confirmation says."""

Message = tuple[int, str]
"""How serious it is, and what it says."""

DEFAULT_REASONS = {Verb.CANCEL: CANCELLED_BY_SHOP, Verb.COMPENSATE: STOPPED}
NOT_WHEN_ABANDONED = {Verb.CANCEL, Verb.RETRY, Verb.COMPENSATE}
ACTS_ON_MANY: dict[str, Act] = {**ACTS, Verb.COMPENSATE: partial(compensate_saga, abandoned=False)}


class ReasonForm(forms.Form):
    """Why a command is given."""

    reason = forms.CharField(max_length=200)

    def __init__(self, verb: Verb, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = verb == Verb.GIVE_UP


def ask_or_run(
    verb: Verb, admin: ReadOnlyAdmin, request: HttpRequest, selected: QuerySet[SagaInstance]
) -> TemplateResponse | None:
    """Returns the page that asks for confirmation; once that is given, runs the command, and returns None."""
    sagas = list(selected[: MOST_AT_ONCE + 1])
    if len(sagas) > MOST_AT_ONCE:
        admin.message_user(request, f"Select at most {MOST_AT_ONCE} at once.", messages.ERROR)
        return None
    is_confirmed = CONFIRMED in request.POST
    form = ReasonForm(verb, request.POST) if is_confirmed else ReasonForm(verb, initial=request.POST.dict())
    if not is_confirmed or not form.is_valid():
        return confirmation(verb, admin, request, sagas, form)
    reason, should_stop = form.cleaned_data["reason"] or DEFAULT_REASONS.get(verb, ""), request_deadline(request)

    def run(order_id: UUID) -> Message:
        if why := left_out(verb, find_saga(order_id)):
            return messages.WARNING, f"{order_id} was left out. {why}"
        saga = command(verb, order_id, actor_of(request.user), reason, should_stop, ACTS_ON_MANY)
        if saga.attention:
            return messages.WARNING, f"{order_id} is {saga.status}. {saga.attention}"
        return messages.SUCCESS, f"{order_id} is {saga.status}."

    run_each(run, [saga.order_id for saga in sagas], admin, request)
    return None


def confirmation(
    verb: Verb, admin: ReadOnlyAdmin, request: HttpRequest, sagas: list[SagaInstance], form: forms.Form
) -> TemplateResponse:
    """The page that says which sagas are concerned, and what will become of them."""
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{verb.label} {len(sagas)} saga{'' if len(sagas) == 1 else 's'}?",
        "opts": admin.opts,
        "media": admin.media,
        "verb": verb,
        "consequence": CONSEQUENCES[verb],
        "rows": [(saga, OrderSnapshot.from_json(saga.payload).totals.total, left_out(verb, saga)) for saga in sagas],
        "form": form,
        "checkbox": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
    }
    return TemplateResponse(request, TEMPLATE, context)


def left_out(verb: Verb, saga: SagaInstance) -> str:
    """Why a command on many sagas leaves this one out; empty if it does not."""
    if verb in NOT_WHEN_ABANDONED and saga.given_up_at:
        return "It is abandoned: resume it first."
    if verb == Verb.RESUME and not saga.given_up_at:
        return "It is not abandoned."
    return ""


def run_each(
    run: Callable[[UUID], Message], order_ids: Iterable[UUID], admin: ReadOnlyAdmin, request: HttpRequest
) -> None:
    """Runs a command for one order after the other, with a message for each. What fails for one stops no other."""
    for order_id in order_ids:
        try:
            level, said = run(order_id)
        except Exception as error:
            level, said = messages.ERROR, f"{order_id}: {operator_message(error)}"
        admin.message_user(request, said, level)
