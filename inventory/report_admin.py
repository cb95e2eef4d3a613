"""Pages of the admin with a report, which can be downloaded as CSV."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from cloudmart.api.csv_renderer import Lines, written
from cloudmart.pages.base import LargeTableAdmin, ListLink
from cloudmart.pages.exports import MOST_EXPORTED, download
from inventory.filters import MovementFilter
from inventory.projector import lag
from inventory.reports import LINE_COLUMNS, MOVEMENT_COLUMNS, as_lines, movements, reservation_report

MOST_SHOWN = 200


class ReportAdmin(LargeTableAdmin):
    """Adds a page `report/` with a table, for those who may view the list."""

    report_title = ""

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
            report = self.report(query, MOST_EXPORTED)
            if not report.get("is_cut"):
                return download([written(report["lines"])], f"{self.opts.model_name}-report")
            messages.error(request, f"More than {MOST_EXPORTED:,} lines: give a shorter period, or a book.")
        context = {
            **self.admin_site.each_context(request),
            "title": self.report_title,
            "list_name": str(self.opts.verbose_name_plural).capitalize(),
            "list_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            "csv_url": f"?{'&'.join(filter(None, [query.urlencode(), 'format=csv']))}",
            **self.report(query, MOST_SHOWN),
        }
        return TemplateResponse(request, "admin/inventory/report.html", context)

    def report(self, query: Any, most: int) -> dict[str, Any]:
        """Returns `lines`, at most so many, and `notes` about them; `is_cut` if there are more; `form` if it asks."""
        raise NotImplementedError


class ReservationReportAdmin(ReportAdmin):
    report_title = "Reservations by status and age"

    def report(self, query: Any, most: int) -> dict[str, Any]:
        report = reservation_report()
        oldest = report["oldest"]
        notes = [f"As of {report['as_of']:%Y-%m-%d %H:%M:%S} UTC."]
        if oldest:
            since = f"{oldest.held_since:%Y-%m-%d %H:%M:%S} UTC"
            notes.append(f"The oldest active reservation: {oldest}, since {since}.")
        return {"lines": Lines(LINE_COLUMNS, as_lines(report)), "notes": notes}


class MovementReportAdmin(ReportAdmin):
    report_title = "Stock movements by day and book"

    def report(self, query: Any, most: int) -> dict[str, Any]:
        chosen = MovementFilter(query, queryset=movements())
        found = chosen.qs if chosen.is_valid() else chosen.queryset.none()
        rows = list(found.order_by("-day", "-book_id").values(*MOVEMENT_COLUMNS)[: most + 1])
        notes = [f"Copies. A day is one of the shop ({settings.SHOP_TIME_ZONE})."]
        if behind := lag()["events"]:
            notes.append(f"{behind} events are not counted yet.")
        if is_cut := len(rows) > most:
            notes.append(f"The first {most} lines. The download has up to {MOST_EXPORTED:,}.")
        lines = Lines(MOVEMENT_COLUMNS, rows[:most])
        return {"lines": lines, "notes": notes, "is_cut": is_cut, "form": chosen.form}
