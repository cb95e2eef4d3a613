"""Pages of the admin with a report, which can be downloaded as CSV."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cloudmart.api.csv_renderer import Lines, written
from cloudmart.database.replica import reads_stale
from cloudmart.pages.base import LargeTableAdmin, ListLink
from cloudmart.pages.exports import MOST_EXPORTED, download
from inventory.filters import MovementFilter
from inventory.projector import lag
from inventory.reports import LINE_COLUMNS, MOVEMENT_COLUMNS, as_lines, movements, reservation_report

MOST_SHOWN = 200

WORDS = {
    "grouped_by": _("Grouped by"),
    "age": _("age"),
    "time to expiry": _("time to expiry"),
    "status": _("Status"),
    "range": _("Range"),
    "reservations": _("Reservations"),
    "copies": _("Copies"),
    "active": _("active"),
    "confirmed": _("sold"),
    "released": _("released"),
    "expired": _("expired"),
    "up to 15 minutes": _("up to 15 minutes"),
    "15 to 60 minutes": _("15 to 60 minutes"),
    "1 to 24 hours": _("1 to 24 hours"),
    "1 to 7 days": _("1 to 7 days"),
    "7 to 30 days": _("7 to 30 days"),
    "over 30 days": _("over 30 days"),
    "past expiry": _("past expiry"),
    "up to 1 minute": _("up to 1 minute"),
    "1 to 5 minutes": _("1 to 5 minutes"),
    "5 to 15 minutes": _("5 to 15 minutes"),
    "over 60 minutes": _("over 60 minutes"),
    "day": _("Day"),
    "book_id": _("Book"),
    "title": _("Title"),
    "added": _("added"),
    "sold": _("sold"),
    "returned": _("returned"),
    "adjusted": _("adjusted"),
    "reserved": _("reserved"),
}
"""How the page shows the columns and values of the reports, which are English in the file."""


def in_words(value: Any) -> str:
    return str(WORDS.get(value, value))


def local(moment: datetime) -> str:
    """Returns the time in the time zone of the shop."""
    return f"{moment.astimezone(settings.SHOP_TIME_ZONE):%Y-%m-%d %H:%M:%S} ({settings.SHOP_TIME_ZONE})"


class ReportAdmin(LargeTableAdmin):
    """Adds a page `report/` with a table, for those who may view the list."""

    report_title: Any = ""

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_report"
        return [path("report/", self.admin_site.admin_view(self.report_view), name=name), *super().get_urls()]

    def list_links(self, request: HttpRequest) -> list[ListLink]:
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_report")
        return [*super().list_links(request), ListLink(self.report_title, url, "summarize")]

    def report_view(self, request: HttpRequest) -> HttpResponseBase:
        """Responds with the page, or with `format=csv` with the whole table. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        if "csv" in query.pop("format", []):
            report = reads_stale(self.report)(query, MOST_EXPORTED)
            if not report.get("is_cut"):
                return download([written(report["lines"])], f"{self.opts.model_name}-report")
            text = gettext("More than %(most)s lines: give a shorter period, or a book.")
            messages.error(request, text % {"most": f"{MOST_EXPORTED:,}"})
        context = {
            **self.admin_site.each_context(request),
            "title": self.report_title,
            "list_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            "csv_url": f"?{'&'.join(filter(None, [query.urlencode(), 'format=csv']))}",
            **(report := reads_stale(self.report)(query, MOST_SHOWN)),
            "columns": map(in_words, report["lines"].columns),
            "rows": [map(in_words, row) for row in report["lines"].rows()],
        }
        return TemplateResponse(request, "admin/inventory/report.html", context)

    def report(self, query: Any, most: int) -> dict[str, Any]:
        """Returns `lines`, at most so many, and `notes` about them; `is_cut` if there are more; `form` if it asks."""
        raise NotImplementedError


class ReservationReportAdmin(ReportAdmin):
    report_title = _("Reservations by status and age")

    def report(self, query: Any, most: int) -> dict[str, Any]:
        report = reservation_report()
        oldest = report["oldest"]
        notes = [gettext("As of %(moment)s.") % {"moment": local(report["as_of"])}]
        if oldest:
            text = gettext("The oldest active reservation: %(reservation)s, since %(moment)s.")
            notes.append(text % {"reservation": oldest, "moment": local(oldest.held_since)})
        return {"lines": Lines(LINE_COLUMNS, as_lines(report)), "notes": notes}


class MovementReportAdmin(ReportAdmin):
    report_title = _("Stock movements by day and book")

    def report(self, query: Any, most: int) -> dict[str, Any]:
        chosen = MovementFilter(query, queryset=movements())
        found = chosen.qs if chosen.is_valid() else chosen.queryset.none()
        rows = list(found.order_by("-day", "-book_id").values(*MOVEMENT_COLUMNS)[: most + 1])
        notes = [gettext("Copies. A day is one of the shop (%(zone)s).") % {"zone": settings.SHOP_TIME_ZONE}]
        if behind := lag()["events"]:
            text = ngettext("%(events)s event is not counted yet.", "%(events)s events are not counted yet.", behind)
            notes.append(text % {"events": behind})
        if is_cut := len(rows) > most:
            text = gettext("The first %(shown)s lines. The download has up to %(most)s.")
            notes.append(text % {"shown": most, "most": f"{MOST_EXPORTED:,}"})
        lines = Lines(MOVEMENT_COLUMNS, rows[:most])
        return {"lines": lines, "notes": notes, "is_cut": is_cut, "form": chosen.form}
