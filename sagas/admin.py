"""Sagas, their logs and their facts as operators see them."""

from django.contrib import admin

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline
from sagas.models import Event, EventReceipt, SagaInstance, SagaStepLog


class StepInline(ReadOnlyInline):
    model = SagaStepLog
    fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "started", "finished"]


@admin.register(SagaInstance)
class SagaInstanceAdmin(ReadOnlyAdmin):
    list_display = ["order_id", "saga_type", "status", "current_step", "attention", "created_at", "finished_at"]
    list_filter = ["status", "saga_type"]
    search_fields = ["id", "order_id"]
    inlines = [StepInline]
    exclude = ["payload"]
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
