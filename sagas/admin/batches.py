"""A command on many orders in the admin: a preview, then a batch that workers run, and a page with its progress."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe
from unfold.widgets import UnfoldAdminTextInputWidget

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.money import formatted
from cloudmart.kernel.text import LONGEST_REASON
from cloudmart.kernel.viewers import actor_of
from cloudmart.pages.base import ReadOnlyAdmin, permission_to
from cloudmart.pages.cells import order_link
from sagas.admin.order_command import DANGEROUS, OneLine
from sagas.batches import Batch, BatchItem
from sagas.operations.batches import queue
from sagas.operations.batches.choosing import COMMANDS, MOST_AT_ONCE, Chosen, Selection, select, title_of
from sagas.operations.desk_commands import PERMISSIONS, DeskCommand
from sagas.operations.reports import Result

PREVIEW, PAGE, PROGRESS = "admin/sagas/batch_preview.html", "admin/sagas/batch.html", "admin/sagas/batch_progress.html"

TONES = {
    queue.PENDING: "desk-mute",
    Result.DONE: "desk-good",
    Result.CONTINUES: "desk-busy",
    Result.WAITS: "desk-wait",
    Result.UNDONE: "desk-wait",
    Result.NOTHING_DONE: "desk-mute",
    Result.REFUSED: "desk-bad",
    Result.FAILED: "desk-bad",
}

LABELS: dict[str, Any] = {queue.PENDING: _("pending"), **dict(Result.choices)}

DESCRIPTIONS = {
    DeskCommand.CANCEL: _("Cancel: undo everything"),
    DeskCommand.RETRY: _("Retry: resume now"),
    DeskCommand.COMPENSATE: _("Compensate: undo everything now"),
    DeskCommand.ABANDON: _("Abandon: stop the retries, with a reason"),
    DeskCommand.RETURN: _("Return: the books have come back"),
}


class ChosenOrdersForm(forms.Form):
    """The orders of a batch, with its id: a form that is sent twice makes one batch."""

    batch_id = forms.UUIDField(widget=forms.HiddenInput)
    order_ids = forms.CharField(widget=forms.HiddenInput)
    reason = OneLine(label=_("Reason"), max_length=LONGEST_REASON, widget=UnfoldAdminTextInputWidget)

    def __init__(self, command: DeskCommand, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = command == DeskCommand.ABANDON

    def clean_order_ids(self) -> list[UUID]:
        """Raises ValidationError unless they are the ids of at most MOST_AT_ONCE orders."""
        texts = self.cleaned_data["order_ids"].split(",")
        try:
            found = sorted(set(map(UUID, texts)))
        except ValueError:
            raise forms.ValidationError(_("These are no orders.")) from None
        if len(found) > MOST_AT_ONCE:
            raise forms.ValidationError(_("These are too many orders."))
        return found


class ActsOnMany(ReadOnlyAdmin):
    """A list of orders, or of what belongs to one order each, with the commands for many orders."""

    order_id_column = "order_id"

    has_cancel_permission = permission_to(PERMISSIONS[DeskCommand.CANCEL])
    has_retry_permission = permission_to(PERMISSIONS[DeskCommand.RETRY])
    has_compensate_permission = permission_to(PERMISSIONS[DeskCommand.COMPENSATE])
    has_abandon_permission = permission_to(PERMISSIONS[DeskCommand.ABANDON])
    has_return_permission = permission_to(PERMISSIONS[DeskCommand.RETURN])

    def preview(self, command: DeskCommand, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        """Returns the page that says what a batch would do; None if too many rows are chosen."""
        order_ids = list(chosen.values_list(self.order_id_column, flat=True)[: MOST_AT_ONCE + 1])
        if len(order_ids) > MOST_AT_ONCE:
            text = gettext("Choose at most %(most)s at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        return preview_of(request, command, order_ids)


def batch_action(command: DeskCommand) -> Callable[..., Any]:
    """Returns the admin action that leads to the preview of a batch."""

    @admin.action(description=DESCRIPTIONS[command], permissions=[command.value])
    def choose(model_admin: ActsOnMany, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        return model_admin.preview(command, request, chosen)

    choose.__name__ = command.value
    return choose


BATCH_ACTIONS = [batch_action(command) for command in COMMANDS]


def preview_of(request: HttpRequest, command: DeskCommand, order_ids: Collection[UUID]) -> HttpResponse:
    """Returns the page that lists what would be included and what is left out, with the sums."""
    selection = select(command, order_ids)
    included = ",".join(str(each.order_id) for each in selection.included)
    form = ChosenOrdersForm(command, initial={"batch_id": new_id(), "order_ids": included})
    return _preview(request, selection, form)


def row_of(chosen: Chosen, text: str) -> dict[str, Any]:
    """Returns a row of the preview."""
    order = chosen.records.order
    return {
        "link": order_link(order.pk),
        "customer": order.customer.name,
        "amount": formatted(order.total),
        "text": text,
    }


@require_POST
def new_batch(request: HttpRequest, command: str) -> HttpResponse:
    """Stores the batch, and leads to its page. Raises Http404 and PermissionDenied."""
    if command not in COMMANDS:
        raise Http404
    chosen = DeskCommand(command)
    if not request.user.has_perm(PERMISSIONS[chosen]):
        raise PermissionDenied
    form = ChosenOrdersForm(chosen, request.POST)
    if form.is_valid():
        asked = form.cleaned_data
        queue.store(asked["batch_id"], chosen, asked["order_ids"], actor_of(request.user), asked["reason"])
        return redirect("admin:batch", asked["batch_id"])
    if "order_ids" in form.cleaned_data and "batch_id" in form.cleaned_data:
        return _preview(request, select(chosen, form.cleaned_data["order_ids"]), form)
    messages.error(request, gettext("Choose the orders once more."))
    return redirect("admin:orders_order_changelist")


def _preview(request: HttpRequest, selection: Selection, form: ChosenOrdersForm) -> HttpResponse:
    form.fields["reason"].help_text = selection.reason_readers
    context = {
        **admin.site.each_context(request),
        "title": title_of(selection),
        "command": selection.command,
        "selection": selection,
        "included": [row_of(each, each.consequence) for each in selection.included],
        "left_out": [row_of(each, each.why_left_out) for each in selection.left_out],
        "form": form,
        "is_dangerous": selection.command in DANGEROUS,
    }
    return TemplateResponse(request, PREVIEW, context)


@require_safe
def batch_page(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Shows the batch; to htmx, which refreshes the page while it is unfinished, only its progress.

    Raises Http404; and PermissionDenied unless the user may see batches, or has started this one.
    """
    batch = Batch.objects.filter(pk=batch_id).first()
    if batch is None:
        raise Http404
    if not (request.user.has_perm("sagas.view_batch") or batch.actor == actor_of(request.user)):
        raise PermissionDenied
    context = {"batch": batch, "command": DeskCommand(batch.command), **_progress(batch)}
    if "HX-Request" in request.headers:
        return TemplateResponse(request, PROGRESS, context)
    title = gettext("Batch: %(command)s") % {"command": context["command"].label}
    return TemplateResponse(request, PAGE, {**admin.site.each_context(request), **context, "title": title})


def _progress(batch: Batch) -> dict[str, Any]:
    counts = queue.counts_of(batch)
    total, pending = sum(counts.values()), counts.get(queue.PENDING, 0)
    ended = ngettext("%(ended)s of %(total)s order", "%(ended)s of %(total)s orders", total)
    return {
        "progress": ended % {"ended": total - pending, "total": total},
        "total": total,
        "ended": total - pending,
        "is_finished": not pending,
        "counts": [(LABELS[result], number, TONES[result]) for result, number in sorted(counts.items())],
        "rows": [
            {
                "link": order_link(item.order_id),
                "label": LABELS[item.result],
                "tone": TONES[item.result],
                "text": item.text,
            }
            for item in batch.items.order_by("pk")
        ],
    }


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "command", "actor", "reason"]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("admin:batch", object_id)


@admin.register(BatchItem)
class BatchItemAdmin(ReadOnlyAdmin):
    list_display = ["order_id", "batch", "result", "text", "ended_at"]
    list_prefetch_related = ("batch",)
    search_fields = ["batch"]
