"""Sagas, their logs and their events in the admin; and parcels, which are marked as shipped only by saga rules."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline, permission_to
from sagas.models import Event, EventReceipt, OperatorCommand, SagaAction, SagaInstance, SagaStepLog
from sagas.operations import parcels as parcels
from sagas.operations.bulk import Message, ask_or_run, run_each
from shipping.admin import ShipmentAdmin
from shipping.models import Shipment


class StepInline(ReadOnlyInline):
    model = SagaStepLog
    fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "started", "finished"]


class ActionInline(ReadOnlyInline):
    model = SagaAction
    fields = ["at", "actor", "command", "reason", "outcome"]
    readonly_fields = ["at"]


def saga_action(command: OperatorCommand, description: str) -> Callable[..., Any]:
    """Returns the admin action that runs the command on the selected sagas."""

    @admin.action(description=description, permissions=[command.value])
    def run(model_admin: ReadOnlyAdmin, request: HttpRequest, sagas: QuerySet[SagaInstance]) -> Any:
        return ask_or_run(command, model_admin, request, sagas)

    run.__name__ = command.value
    return run


@admin.register(SagaInstance)
class SagaInstanceAdmin(ReadOnlyAdmin):
    list_display = [
        "order_id",
        "saga_type",
        "status",
        "current_step",
        "attention",
        "abandoned_at",
        "created_at",
        "finished_at",
    ]
    list_filter = ["status", "saga_type", ("attention", admin.EmptyFieldListFilter)]
    search_fields = ["id", "order_id"]
    inlines = [ActionInline, StepInline]
    exclude = ["payload"]
    ordering = ["-id"]
    actions = [
        saga_action(OperatorCommand.CANCEL, "Cancel: undo everything"),
        saga_action(OperatorCommand.RETRY, "Retry: resume now"),
        saga_action(OperatorCommand.COMPENSATE, "Compensate: undo everything now"),
        saga_action(OperatorCommand.ABANDON, "Abandon: stop the retries, with a reason"),
        saga_action(OperatorCommand.RESUME, "Resume: resume an abandoned saga"),
    ]

    has_cancel_permission = permission_to("sagas.cancel_saga")
    has_retry_permission = permission_to("sagas.retry_saga")
    has_compensate_permission = permission_to("sagas.compensate_saga")
    has_abandon_permission = permission_to("sagas.abandon_saga")
    has_resume_permission = permission_to("sagas.resume_saga")


@admin.register(SagaAction)
class SagaActionAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "command", "saga", "reason", "outcome"]
    list_filter = ["command"]
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
    actions = ["mark_as_shipped"]

    has_ship_permission = permission_to("shipping.ship_shipment")

    @admin.action(description="Mark as shipped: the carrier has the parcels", permissions=["ship"])
    def mark_as_shipped(self, request: HttpRequest, selected: QuerySet[Shipment]) -> None:
        def run(order_id: UUID) -> Message:
            parcels.mark_as_shipped(order_id)
            return messages.SUCCESS, f"{order_id} is marked as shipped."

        run_each(run, selected.values_list("order_id", flat=True), self, request)
