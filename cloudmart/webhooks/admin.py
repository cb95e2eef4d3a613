"""Webhook endpoints, deliveries and attempts in the admin."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from cloudmart.kernel.errors import IllegalMove
from cloudmart.outbox.types import EventType
from cloudmart.pages.base import (
    LargeTableAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    RecordsValues,
    permission_to,
)
from cloudmart.pages.cells import Badge, badge_in, column, linked, order_link
from cloudmart.webhooks import endpoints, registration
from cloudmart.webhooks.forms import EndpointForm
from cloudmart.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from cloudmart.webhooks.recording import record_test
from cloudmart.webhooks.selectors import headers_of

MOST_AT_ONCE = 100
"""Deliveries that one action resends."""
JUST_MADE = "endpoint_just_made"
"""The key in the session for the endpoint whose secret may be shown once."""

ENABLED, FAILING, DISABLED = Badge("good", _("enabled")), Badge("bad", _("failing")), Badge("mute", _("disabled"))
DELIVERY_BADGES = {
    DeliveryStatus.PENDING: Badge("busy", _("waiting")),
    DeliveryStatus.DELIVERED: Badge("good", _("delivered")),
    DeliveryStatus.FAILED: Badge("bad", _("failed")),
}
delivery_status = badge_in("status", _("status"), DELIVERY_BADGES)
event_name = column(_("event type"), lambda row: EventType(row.event_type).label, "event_type")


def shown(moment: datetime | None) -> str:
    """Returns the time as a page shows it; "" without one."""
    return localize(localtime(moment)) if moment else ""


def state_of(endpoint: WebhookEndpoint) -> Badge:
    if endpoint.status == EndpointStatus.DISABLED:
        return DISABLED
    return FAILING if endpoint.failing_since else ENABLED


def subject_of(delivery: WebhookDelivery) -> str:
    """Returns the order as a link, or the book as one."""
    if delivery.event_type == EventType.STOCK_LOW:
        return linked("inventory_book_change", delivery.subject)
    return "" if delivery.event_type == EventType.TEST else order_link(UUID(delivery.subject))


def link_to_endpoint(delivery: WebhookDelivery) -> str:
    """Returns "" for a delivery whose endpoint was deleted while it was recorded."""
    try:
        return linked("cloudmart_webhookendpoint_change", delivery.endpoint_id, delivery.endpoint.url)
    except WebhookEndpoint.DoesNotExist:
        return ""


subject = column(_("subject"), subject_of, "subject")
state = column(_("state"), lambda endpoint: str(state_of(endpoint)), "state")
types = column(
    _("event types"),
    lambda endpoint: ", ".join(str(EventType(each).label) for each in endpoint.event_types) or gettext("all"),
    "types",
)
last_delivery = column(_("last delivery"), lambda endpoint: shown(endpoint.last_delivery), "last_delivery")
deliveries = column(
    _("deliveries"),
    lambda endpoint: format_html(
        '<a class="desk-link" href="{}">{}</a>',
        reverse("admin:cloudmart_webhookdelivery_changelist", query={"endpoint": endpoint.pk}),
        gettext("deliveries"),
    ),
    "deliveries",
)
endpoint = column(_("endpoint"), link_to_endpoint, "endpoint")
next_attempt = column(
    _("next attempt"),
    lambda each: shown(each.due_at) if each.status == DeliveryStatus.PENDING else None,
    "next_attempt",
)


class ActsFromItsPage(ModelAdmin):
    """Offers the actions of the list as buttons on the page of a row, too."""

    change_form_outer_before_template = "cloudmart/webhooks/commands.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        buttons = [(name, title) for name, (_action, _name, title) in self.get_actions(request).items()]
        return super().change_view(request, object_id, form_url, {"buttons": buttons, **(extra_context or {})})

    def act(
        self, request: HttpRequest, selected: QuerySet[Any], command: Callable[[Any], object], done: str, logged: str
    ) -> HttpResponse | None:
        """Runs the command on each selected row. Returns to the page of a row if its button was used."""
        rows = list(selected[: MOST_AT_ONCE + 1])
        if len(rows) > MOST_AT_ONCE:
            too_many = gettext("Select at most %(most)s at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, too_many, messages.ERROR)
            return None
        for row in rows:
            self.message_user(request, *self._result(request, row, command, done, logged))
        return HttpResponseRedirect(self._page_of(rows[0])) if "from_its_page" in request.POST and rows else None

    def _result(
        self, request: HttpRequest, row: Any, command: Callable[[Any], object], done: str, logged: str
    ) -> tuple[str, int]:
        try:
            command(row)
        except IllegalMove as refusal:
            return f"{row}: {gettext(refusal.detail)}", messages.WARNING
        self.log_change(request, row, logged)
        return f"{row}: {done}", messages.SUCCESS

    def _page_of(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ActsFromItsPage, RecordsValues, LargeTableAdmin):
    """Endpoints. A secret is shown once: after the registration, and after each rotation."""

    form = EndpointForm
    list_display = ["url", state, types, "failing_since", last_delivery, deliveries]
    search_fields = ["id"]
    actions = ["rotate_secret", "send_test", "enable", "disable"]

    has_rotate_permission = permission_to("cloudmart.rotate_secret")
    has_test_permission = permission_to("cloudmart.send_test")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """The ids of events, and so the unique index of deliveries, are in the order of their recording."""
        newest = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).order_by("-event_id")
        return super().get_queryset(request).annotate(last_delivery=Subquery(newest.values("created_at")[:1]))

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[Any]:
        return ["url", "description", "event_types", *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[Any]:
        shown = [
            state,
            "disabled_reason",
            "disabled_at",
            "failing_since",
            "failures",
            last_delivery,
            deliveries,
            "previous_secret_until",
            "created_at",
            "created_by",
        ]
        return shown if obj else []

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.secret_view)
        return [path("<uuid:pk>/secret/", view, name="cloudmart_webhookendpoint_secret"), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without Django's deletion of many, which reads all their deliveries."""
        return {name: each for name, each in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in self.columns_changed(form)}
            registration.change(obj, changes)  # type: ignore[arg-type]
        else:
            registration.register(obj, request.user.get_username())

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: Any = None) -> HttpResponse:
        return self.page_of_secret(request, obj)

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        registration.remove(obj.pk)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[Any, int], set[str], list[str]]:
        """Names the endpoint only: of its deliveries there may be very many."""
        return [str(each) for each in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def page_of_secret(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        """Redirects to the page that shows the secret once."""
        request.session[JUST_MADE] = str(endpoint.pk)
        return HttpResponseRedirect(reverse("admin:cloudmart_webhookendpoint_secret", args=[endpoint.pk]))

    def secret_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Shows the secret to whoever has just made it, once. Another time it redirects to the endpoint's page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = WebhookEndpoint.objects.filter(pk=pk).first()
        page = reverse("admin:cloudmart_webhookendpoint_change", args=[pk])
        if request.session.pop(JUST_MADE, None) != str(pk) or found is None:
            return HttpResponseRedirect(page)
        context = {"title": _("Secret of the endpoint"), "endpoint": found, "page": page, "opts": self.opts}
        site = self.admin_site.each_context(request)
        return TemplateResponse(request, "cloudmart/webhooks/secret.html", {**site, **context})

    @admin.action(description=_("Rotate the secret"), permissions=["rotate"])
    def rotate_secret(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        chosen = list(selected[:2])
        if len(chosen) != 1:
            self.message_user(request, gettext("Select one endpoint: its new secret is shown once."), messages.ERROR)
            return None
        endpoints.rotate_secret(chosen[0])
        self.log_change(request, chosen[0], "Secret rotated.")
        return self.page_of_secret(request, chosen[0])

    @admin.action(description=_("Send a test event"), permissions=["test"])
    def send_test(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        done = gettext("A worker sends the test event.")
        return self.act(request, selected, record_test, done, "Test event sent.")

    @admin.action(description=_("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        return self.act(request, selected, endpoints.enable, gettext("It gets the events from now on."), "Enabled.")

    @admin.action(description=_("Disable: what is pending fails"), permissions=["change"])
    def disable(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        return self.act(request, selected, endpoints.disable, gettext("No event is sent to it any more."), "Disabled.")


class EndpointFilter(admin.SimpleListFilter):
    """Offers the endpoints, which are few."""

    title, parameter_name = _("endpoint"), "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = WebhookEndpoint.objects.order_by("-pk")[:MOST_AT_ONCE]
        return [(str(each.pk), each.description or each.url) for each in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {key for key, _name in self.lookup_choices}
        return queryset.filter(endpoint=UUID(self.value())) if self.value() in known else queryset


class Attempts(ReadOnlyInline):
    model = WebhookAttempt
    fields = ["at", "status_code", "milliseconds", "error", "response"]
    readonly_fields = ["at"]
    ordering = ["pk"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ActsFromItsPage, ReadOnlyAdmin):
    list_display = ["created_at", event_name, subject, endpoint, delivery_status, "attempts", next_attempt]
    list_filter = ["status", EndpointFilter]
    list_defer = ("body",)
    list_prefetch_related = ("endpoint",)
    search_fields = ["subject", "id"]
    fields = [
        event_name,
        subject,
        endpoint,
        delivery_status,
        "created_at",
        "delivered_at",
        "attempts",
        next_attempt,
        "retry_until",
        "resends",
        "event_id",
        "sent",
    ]
    readonly_fields = [event_name, subject, endpoint, delivery_status, "created_at", next_attempt, "sent"]
    inlines = [Attempts]
    actions = ["resend"]

    has_resend_permission = permission_to("cloudmart.resend_delivery")

    @admin.display(description=_("request"))
    def sent(self, delivery: WebhookDelivery) -> str:
        """The headers that all attempts have in common, and the body with line breaks."""
        headers = "\n".join(f"{name}: {value}" for name, value in headers_of(delivery).items())
        body = json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False)
        return format_html('<pre class="desk-text">POST\n{}\n\n{}</pre>', headers, body)

    @admin.action(description=_("Resend: send these webhooks once more"), permissions=["resend"])
    def resend(self, request: HttpRequest, selected: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        done = gettext("A worker sends it once more.")
        return self.act(request, selected, lambda each: endpoints.resend(each.pk), done, "Resent.")


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    list_display = ["at", "delivery_id", "status_code", "milliseconds", "error"]
    search_fields = ["delivery"]
