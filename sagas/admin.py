"""Sagas, their logs and their facts as operators see them; and parcels, for what waits for the order's saga."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet

from cloudmart.api.admin import ReadOnlyAdmin, ReadOnlyInline
from cloudmart.api.patience import patience_of
from cloudmart.api.viewers import actor_of
from cloudmart.kernel.errors import DomainError
from sagas.fetching import hand_over
from sagas.models import Event, EventReceipt, SagaAction, SagaInstance, SagaStepLog, Verb
from sagas.verbs import STOPPED, command
from shipping.admin import ShipmentAdmin
from shipping.models import Shipment


class ReasonForm(ActionForm):
    """An action, and why."""

    reason = forms.CharField(max_length=200, required=False)


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
    action_form = ReasonForm
    actions = ["cancel", "retry", "compensate", "give_up"]

    @admin.action(description="Cancel: undo everything")
    def cancel(self, request: Any, sagas: QuerySet[SagaInstance]) -> None:
        self._command(Verb.CANCEL, request, sagas, otherwise=STOPPED)

    @admin.action(description="Retry: go on now, also where it was given up")
    def retry(self, request: Any, sagas: QuerySet[SagaInstance]) -> None:
        self._command(Verb.RETRY, request, sagas)

    @admin.action(description="Compensate: turn back now")
    def compensate(self, request: Any, sagas: QuerySet[SagaInstance]) -> None:
        self._command(Verb.COMPENSATE, request, sagas, otherwise=STOPPED)

    @admin.action(description="Give up: try it no more, for this reason")
    def give_up(self, request: Any, sagas: QuerySet[SagaInstance]) -> None:
        if request.POST["reason"].strip():
            self._command(Verb.GIVE_UP, request, sagas)
        else:
            self.message_user(request, "Say why they are given up: fill in the reason.", messages.ERROR)

    def _command(self, verb: Verb, request: Any, sagas: QuerySet[SagaInstance], otherwise: str = "") -> None:
        reason = request.POST["reason"].strip() or otherwise
        is_leaving = patience_of(request)
        for order_id in sagas.values_list("order_id", flat=True):
            try:
                saga = command(verb, order_id, actor_of(request.user), reason, is_leaving)
            except DomainError as refusal:
                self.message_user(request, f"{order_id}: {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{order_id} is {saga.status}.", messages.SUCCESS)


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

    @admin.action(description="The carrier has fetched the selected parcels")
    def hand_over_to_carrier(self, request: Any, parcels: QuerySet[Shipment]) -> None:
        for parcel in parcels:
            try:
                hand_over(parcel.order_id)
            except DomainError as refusal:
                self.message_user(request, f"Not noted: {parcel}. {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{parcel.order_id} is on its way.", messages.SUCCESS)
