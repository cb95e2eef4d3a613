"""The workers, the hourly counts and the runs of the audit in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _

from cloudmart.kernel.viewers import actor_of
from cloudmart.pages.base import ReadOnlyAdmin
from sagas.admin.home import RUN_AUDIT
from sagas.models import AuditRun, OrderHour, WorkerHeartbeat
from sagas.operations.figures.audit_runs import request_run

admin.site.index_template = "admin/sagas/home.html"


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["worker", "started_at", "seen_at", "errors"]
    search_fields = ["worker"]


@admin.register(OrderHour)
class OrderHourAdmin(ReadOnlyAdmin):
    list_display = ["hour", "counts", "counted_at"]


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin):
    list_display = ["requested_at", "requested_by", "started_at", "finished_at", "holds"]
    list_defer = ("findings",)
    exclude = ["findings", "lease_until", "fence"]
    change_form_after_template = "admin/sagas/auditrun/findings.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.request_run)
        return [path("request/", view, name="request_audit"), *super().get_urls()]

    def request_run(self, request: HttpRequest) -> HttpResponse:
        """Has a worker run the audit, and returns to the home page."""
        if not request.user.has_perm(RUN_AUDIT):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        _run, is_new = request_run(actor_of(request.user))
        said = _("A worker runs the audit now.") if is_new else _("The audit is requested already.")
        messages.info(request, said)
        return redirect("admin:index")
