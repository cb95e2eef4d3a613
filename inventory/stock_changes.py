"""Adding and correcting the stock of a book in the admin: a form, a page that says the consequence, and the change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from cloudmart.api.problems import operator_message
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.viewers import actor_of
from inventory.errors import StockIsReserved
from inventory.locks import lock_stock
from inventory.models import InventoryRecord
from inventory.projector import record_events
from inventory.serializers import MOST_AT_ONCE
from inventory.services import add_stock, adjust_stock
from inventory.stock import Stock

CONFIRMED = "confirmed"


class AddForm(forms.Form):
    """Copies that have arrived. The reference makes a second click change nothing."""

    copies = forms.IntegerField(
        min_value=1, max_value=MOST_AT_ONCE, label=_("Copies that have arrived"), widget=UnfoldAdminIntegerFieldWidget
    )
    reason = forms.CharField(max_length=200, label=_("Reason"), widget=UnfoldAdminTextInputWidget)
    reference = forms.RegexField(r"^[0-9a-f-]{36}\Z", widget=forms.HiddenInput)


class AdjustForm(AddForm):
    """A correction after a count."""

    copies = forms.IntegerField(
        min_value=-MOST_AT_ONCE,
        max_value=MOST_AT_ONCE,
        label=_("Difference: counted less recorded copies"),
        help_text=_("-2 removes two copies, 2 adds two."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_copies(self) -> int:
        copies: int = self.cleaned_data["copies"]
        if not copies:
            raise forms.ValidationError(_("The difference must not be zero."))
        return copies


@dataclass(frozen=True, slots=True)
class StockCommand:
    """A command on the stock of a book, with its page's words."""

    name: str
    title: Any
    form: type[AddForm]
    run: Callable[..., None]

    @property
    def permission(self) -> str:
        return f"inventory.{self.name}"


COMMANDS = (
    StockCommand("add_stock", _("Add stock"), AddForm, add_stock),
    StockCommand("adjust_stock", _("Adjust stock"), AdjustForm, adjust_stock),
)


@durable
def outcome(command: StockCommand, book_id: str, asked: dict[str, Any], actor: str, *, keep: bool) -> list[Stock]:
    """Runs the command, and returns the stock before and after it. Unless `keep`, it is undone again: a preview.

    Raises UnknownBook, StockIsReserved, TooMuchStock and ReferenceReused.
    """
    before = lock_stock([book_id])[book_id]
    command.run(book_id, asked["copies"], reason=asked["reason"], actor=actor, reference=asked["reference"])
    after = lock_stock([book_id])[book_id]
    if not keep:
        transaction.set_rollback(True)
    return [before, after]


def described(before: Stock, after: Stock) -> str:
    """Returns what changes, as the confirmation and the message say it."""
    return gettext("On hand %(on_hand)s → %(new_on_hand)s, available %(available)s → %(new_available)s.") % {
        "on_hand": f"{before.on_hand:,}",
        "new_on_hand": f"{after.on_hand:,}",
        "available": f"{before.available:,}",
        "new_available": f"{after.available:,}",
    }


def refused(refusal: DomainError) -> str:
    """Returns why a change is refused; of a removal also how many copies can be removed."""
    if not isinstance(refusal, StockIsReserved):
        return operator_message(refusal)
    on_hand, reserved = refusal.details["on_hand"], refusal.details["reserved"]
    text = gettext(
        "At most %(copies)s copies can be removed: %(on_hand)s are on hand, of which %(reserved)s are reserved."
    )
    return text % {"copies": f"{on_hand - reserved:,}", "on_hand": f"{on_hand:,}", "reserved": f"{reserved:,}"}


class ChangesStock(ModelAdmin):
    """Adds a page for each command to the page of a book."""

    def get_urls(self) -> list[Any]:
        return [
            path(
                f"<path:object_id>/{command.name.replace('_', '-')}/",
                self.admin_site.admin_view(self.stock_view),
                {"command": command},
                name=f"inventory_book_{command.name}",
            )
            for command in COMMANDS
        ] + super().get_urls()

    def stock_view(self, request: HttpRequest, object_id: str, command: StockCommand) -> HttpResponse:
        """Asks for the copies and a reason, says the consequence, and makes the change. Raises PermissionDenied."""
        if not request.user.has_perm(command.permission):
            raise PermissionDenied
        book_id = unquote(object_id)
        record_events([book_id])
        record = InventoryRecord.objects.select_related("book").filter(pk=book_id).first()
        if record is None:
            raise Http404
        form = command.form(request.POST or None, initial={"reference": str(new_id())})
        is_confirmed = CONFIRMED in request.POST
        stocks: list[Stock] = []
        if form.is_valid():
            try:
                stocks = outcome(command, record.pk, form.cleaned_data, actor_of(request.user), keep=is_confirmed)
            except DomainError as refusal:
                form.add_error(None, refused(refusal))
        if stocks and is_confirmed:
            self._say(request, *stocks)
            return HttpResponseRedirect(reverse("admin:inventory_book_change", args=[quote(record.pk)]))
        return self._page(request, record, command, form, stocks)

    def _say(self, request: HttpRequest, before: Stock, after: Stock) -> None:
        if before == after:
            self.message_user(request, gettext("The stock was changed already."), messages.INFO)
        else:
            self.message_user(request, described(before, after), messages.SUCCESS)

    def _page(
        self, request: HttpRequest, record: InventoryRecord, command: StockCommand, form: AddForm, stocks: list[Stock]
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": command.title,
            "subtitle": str(record.book),
            "opts": self.opts,
            "record": record,
            "command": command,
            "form": form,
            "consequence": described(*stocks) if stocks else "",
            "confirmed": CONFIRMED,
        }
        return TemplateResponse(request, "admin/inventory/book/change_stock.html", context)
