"""Sagas, their logs and their facts as operators see them; and parcels, for what waits for the order's saga."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline, permission_to
from sagas.models import Event, EventReceipt, SagaAction, SagaInstance, SagaStepLog, Verb
from sagas.operations.bulk import Message, ask_or_run, run_each
from sagas.operations.parcels import mark_as_shipped
from shipping.admin import ShipmentAdmin
from shipping.models import Shipment


class StepInline(ReadOnlyInline):
    model = SagaStepLog
    fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "started", "finished"]


class ActionInline(ReadOnlyInline):
    model = SagaAction
    fields = ["at", "actor", "verb", "reason", "outcome"]
    readonly_fields = ["at"]


@admin.register(SagaInstance)
class SagaInstanceAdmin(ReadOnlyAdmin):
    list_display = [
        "order_id",
        "saga_type",
        "status",
        "current_step",
        "attention",
        "given_up_at",
        "created_at",
        "finished_at",
    ]
    list_filter = ["status", "saga_type", ("attention", admin.EmptyFieldListFilter)]
    search_fields = ["id", "order_id"]
    inlines = [ActionInline, StepInline]
    exclude = ["payload"]
    ordering = ["-id"]
    actions = ["cancel", "retry", "compensate", "give_up", "resume"]

    has_cancel_permission = permission_to("sagas.cancel_saga")
    has_retry_permission = permission_to("sagas.retry_saga")
    has_compensate_permission = permission_to("sagas.compensate_saga")
    has_abandon_permission = permission_to("sagas.abandon_saga")
    has_resume_permission = permission_to("sagas.resume_saga")

    @admin.action(description="Cancel: undo everything", permissions=["cancel"])
    def cancel(self, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(Verb.CANCEL, self, request, sagas)

    @admin.action(description="Retry: go on now", permissions=["retry"])
    def retry(self, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(Verb.RETRY, self, request, sagas)

    @admin.action(description="Compensate: undo everything now", permissions=["compensate"])
    def compensate(self, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(Verb.COMPENSATE, self, request, sagas)

    @admin.action(description="Abandon: try it no more, for a reason", permissions=["abandon"])
    def give_up(self, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(Verb.GIVE_UP, self, request, sagas)

    @admin.action(description="Resume: go on, having been abandoned", permissions=["resume"])
    def resume(self, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(Verb.RESUME, self, request, sagas)


@admin.register(SagaAction)
class SagaActionAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "verb", "saga", "reason", "outcome"]
    list_filter = ["verb"]
    search_fields = ["saga__order_id", "actor", "reason"]
    list_select_related = ["saga"]
    ordering = ["-id"]


@admin.register(SagaStepLog)
class SagaStepLogAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "seq", "step", "direction", "attempt", "status", "state", "started", "finished"]
    list_filter = ["direction", "status", "step"]
    search_fields = ["saga__id", "saga__order_id"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["aggregate_id", "seq", "event_type", "timestamp", "delivered_at"]
    list_filter = ["event_type"]
    search_fields = ["id", "aggregate_id"]
    ordering = ["-id"]


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "consumer", "received_at"]
    list_filter = ["consumer"]
    search_fields = ["event__aggregate_id", "event__id"]


@admin.register(Shipment)
class ParcelAdmin(ShipmentAdmin):
    actions = ["hand_over_to_carrier"]

    has_ship_permission = permission_to("shipping.ship_shipment")

    @admin.action(description="Mark the selected parcels as shipped", permissions=["ship"])
    def hand_over_to_carrier(self, request: HttpRequest, parcels: QuerySet[Shipment]) -> None:
        def run(order_id: UUID) -> Message:
            mark_as_shipped(order_id)
            return messages.SUCCESS, f"{order_id} is on its way."

        run_each(run, parcels.values_list("order_id", flat=True), self, request)
