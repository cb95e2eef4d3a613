"""The operators' commands and the status of a saga, as the API reads and shows them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from cloudmart.api.failures import FailureField
from cloudmart.api.fields import StrictSerializer, TextField
from orders.models import SagaStyle
from sagas.desk.examples import CANCELLATION, RETURN
from sagas.desk.reasons import CANCELLED_BY_SHOP, RETURNED_BY_CUSTOMER, STOPPED_BY_SHOP
from sagas.models import Event, SagaAction, SagaStepLog, State
from sagas.operations.examples import ABANDONMENT, COMPENSATION, RESUMPTION, RETRY, SAGA_EXAMPLE, SAGA_STATUS_EXAMPLE


@extend_schema_serializer(examples=CANCELLATION)
class CancelSagaInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default=CANCELLED_BY_SHOP)


@extend_schema_serializer(examples=RETRY)
class RetryInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default="")


@extend_schema_serializer(examples=RESUMPTION)
class ResumeInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default="")


@extend_schema_serializer(examples=COMPENSATION)
class CompensateInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default=STOPPED_BY_SHOP)


@extend_schema_serializer(examples=ABANDONMENT)
class AbandonInput(StrictSerializer):
    reason = TextField(max_length=200, help_text="The customer can read it")


@extend_schema_serializer(examples=RETURN)
class ReturnInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default=RETURNED_BY_CUSTOMER)


class StepOutput(serializers.ModelSerializer[SagaStepLog]):
    detail = serializers.DictField()

    class Meta:
        model = SagaStepLog
        fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "detail", "started", "finished"]


class EventLineOutput(serializers.Serializer[Any]):
    book_id = serializers.CharField()
    title = serializers.CharField()
    unit_price = serializers.IntegerField()
    quantity = serializers.IntegerField()


class EventDataOutput(serializers.Serializer[Any]):
    """What an event says of its order. Others of these members, and further ones, depend on its type."""

    version = serializers.IntegerField()
    order_id = serializers.CharField(required=False)
    customer_id = serializers.CharField(required=False)
    book_id = serializers.CharField(required=False, allow_null=True, help_text="Null if the order has several books")
    quantity = serializers.IntegerField(required=False, help_text="Copies of the books concerned")
    lines = EventLineOutput(many=True, required=False)
    total_amount = serializers.IntegerField(required=False)
    currency = serializers.CharField(required=False)


@extend_schema_field(EventDataOutput)
class EventDataField(serializers.DictField):
    """The stored data of an event."""


class EventOutput(serializers.ModelSerializer[Event]):
    payload = EventDataField()

    class Meta:
        model = Event
        fields = ["id", "seq", "event_type", "payload", "timestamp", "causation_id", "delivered_at"]


class ActionOutput(serializers.ModelSerializer[SagaAction]):
    class Meta:
        model = SagaAction
        fields = ["command", "actor", "reason", "at", "outcome"]


@extend_schema_serializer(examples=[response_example("Payment declined", SAGA_EXAMPLE)])
class SagaOutput(serializers.Serializer[Any]):
    """An order's saga: its state, and what has become of it."""

    saga_id = serializers.UUIDField(source="saga.id")
    order_id = serializers.UUIDField(source="saga.order_id")
    style = serializers.ChoiceField(SagaStyle.choices, source="saga.saga_type")  # type: ignore[assignment]
    status = serializers.ChoiceField(State.choices, source="saga.status")
    current_step = serializers.CharField(source="saga.current_step")
    failure = FailureField(source="saga.failure")
    attention = serializers.CharField(allow_null=True)
    abandoned_at = serializers.DateTimeField(source="saga.abandoned_at", allow_null=True)
    started_at = serializers.DateTimeField(source="saga.created_at")
    finished_at = serializers.DateTimeField(source="saga.finished_at", allow_null=True)


@extend_schema_serializer(examples=[response_example("Payment declined", SAGA_STATUS_EXAMPLE)])
class SagaStatusOutput(SagaOutput):
    """An order's saga: its state and the states before, every step and undo, every event."""

    history = serializers.ListField(child=serializers.ChoiceField(State.choices))
    steps = StepOutput(many=True)
    events = EventOutput(many=True)
    actions = ActionOutput(many=True, help_text="The commands on it; shown to operators")
