"""Sagas, their logs and their events in the admin; and parcels, whose sagas say when they may be marked."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cloudmart.kernel.viewers import actor_of
from cloudmart.pages.base import ReadOnlyAdmin, ReadOnlyInline, fixed_choices, permission_to
from cloudmart.pages.cells import column, order, order_in, order_link
from orders.models import SagaStyle
from sagas.admin import monitoring as monitoring
from sagas.admin import orders as orders
from sagas.admin import urls
from sagas.admin.batches import BATCH_ACTIONS, ActsOnMany
from sagas.admin.marking import marking, run_each
from sagas.admin.order_list import standing_of_saga
from sagas.choreography.reactions import REACTIONS
from sagas.choreography.signals import EVENTS
from sagas.engine.causes import Cause, for_operators
from sagas.engine.lease import is_waiting
from sagas.models import UNFINISHED, Event, EventReceipt, SagaAction, SagaInstance, SagaStepLog
from sagas.operations.finding import IS_ABANDONED, NEEDS_ATTENTION
from sagas.orchestration.workflow import ORDER_WORKFLOW
from shipping.admin import ShipmentAdmin
from shipping.carriers.reports import Progress
from shipping.models import Shipment

order_of_saga = column(_("order"), lambda row: order_link(row.saga.order_id), "order")
order_of_event = order_in("aggregate_id")
order_of_receipt = column(_("order"), lambda receipt: order_link(receipt.event.aggregate_id), "order")

admin.site.extra_urls = urls.pages  # type: ignore[attr-defined]


class ActionInline(ReadOnlyInline):
    model = SagaAction
    fields = ["at", "actor", "command", "reason", "outcome"]
    readonly_fields = ["at"]


class AttentionFilter(admin.SimpleListFilter):
    """The sagas that an operator must look at, all or those of one cause; those abandoned; or all that wait.

    None of them is finished, so the index by status finds them.
    """

    title, parameter_name = _("attention"), "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("required", _("required")),
            *Cause.choices,
            ("other", _("Other causes")),
            ("abandoned", _("abandoned")),
            ("waiting", _("waiting")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SagaInstance]) -> QuerySet[SagaInstance]:
        if not (value := self.value()):
            return queryset
        if value == "waiting":
            return queryset.filter(is_waiting(), status__in=UNFINISHED)
        if value == "abandoned":
            return queryset.filter(IS_ABANDONED)
        cause = {} if value == "required" else {"attention_code": "" if value == "other" else value}
        return queryset.filter(NEEDS_ATTENTION, **cause)


@admin.register(SagaInstance)
class SagaInstanceAdmin(ActsOnMany):
    list_display = [order, standing_of_saga, "status", "cause", "style", "created_at", "finished_at"]
    list_display_links = ["status"]
    readonly_fields = [order]
    list_filter = [AttentionFilter, "status", fixed_choices("saga_type", SagaStyle, _("style"))]
    search_fields = ["order_id", "id"]
    inlines = [ActionInline]
    change_form_outer_before_template = "admin/sagas/sagainstance/timeline.html"
    exclude = ["payload"]
    list_defer = ("payload",)
    actions = BATCH_ACTIONS

    class Media:
        css = {"all": ["sagas/timeline.css"]}

    @admin.display(description=_("attention"), empty_value="-")
    def cause(self, saga: SagaInstance) -> str | None:
        return for_operators(saga.attention_code, saga.attention) if saga.attention else None

    @admin.display(description=_("style"))
    def style(self, saga: SagaInstance) -> str:
        return gettext(saga.saga_type)


@admin.register(SagaAction)
class SagaActionAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "command", order_of_saga, "reason", "outcome"]
    readonly_fields = [order_of_saga]
    list_filter = ["command"]
    search_fields = ["saga__order_id", "saga"]
    list_prefetch_related = ("saga",)


@admin.register(SagaStepLog)
class SagaStepLogAdmin(ReadOnlyAdmin):
    list_display = [order_of_saga, "seq", "step", "direction", "attempt", "status", "state", "started", "finished"]
    list_filter = ["direction", "status", fixed_choices("step", [step.name for step in ORDER_WORKFLOW])]
    list_display_links = ["seq"]
    list_prefetch_related = ("saga",)
    readonly_fields = [order_of_saga]
    list_defer = ("detail",)
    search_fields = ["saga__order_id", "saga"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = [order_of_event, "seq", "event_type", "timestamp", "delivered_at"]
    list_display_links = ["seq"]
    readonly_fields = [order_of_event]
    list_filter = [fixed_choices("event_type", EVENTS)]
    list_defer = ("payload",)
    search_fields = ["aggregate_id", "id"]


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnlyAdmin):
    list_display = [order_of_receipt, "event", "consumer", "received_at"]
    list_display_links = ["consumer"]
    list_prefetch_related = ("event",)
    readonly_fields = [order_of_receipt]
    list_filter = [fixed_choices("consumer", REACTIONS)]
    search_fields = ["event__aggregate_id", "event"]


@admin.register(Shipment)
class ParcelAdmin(ShipmentAdmin):
    actions = ["mark_as_shipped", "mark_as_delivered"]

    has_ship_permission = permission_to("shipping.ship_shipment")
    has_deliver_permission = permission_to("shipping.deliver_shipment")

    @admin.action(description=_("Mark as shipped: the carrier has the parcels"), permissions=["ship"])
    def mark_as_shipped(self, request: HttpRequest, selected: QuerySet[Shipment]) -> None:
        self._mark(Progress.SHIPPED, request, selected)

    @admin.action(description=_("Mark as delivered: the customers have the parcels"), permissions=["deliver"])
    def mark_as_delivered(self, request: HttpRequest, selected: QuerySet[Shipment]) -> None:
        self._mark(Progress.DELIVERED, request, selected)

    def _mark(self, progress: Progress, request: HttpRequest, selected: QuerySet[Shipment]) -> None:
        run_each(marking(progress, actor_of(request.user)), selected.values_list("order_id", flat=True), self, request)
