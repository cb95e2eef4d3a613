"""What crosses the line between HTTP and the sagas."""

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import (
    ABANDONMENT,
    CANCELLATION,
    COMPENSATION,
    ITEM_ADDITIONS,
    ORDERS,
    PLACED_ORDER,
    RESUMPTION,
    RETRY,
    SAGA_EXAMPLE,
    request_example,
    response_example,
)
from cloudmart.api.fields import (
    AddressField,
    CodeField,
    PatternField,
    PaymentTokenField,
    QuantityField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
)
from cloudmart.api.permissions import check_permission
from cloudmart.kernel.order import PaymentMethod
from cloudmart.kernel.viewers import actor_of, customer_of, sees_everything
from orders.drafts import Wishes
from orders.errors import UnknownCustomer
from orders.models import Customer, Order, SagaStyle
from orders.selectors import find_customer
from orders.serializers import OrderOutput
from sagas.desk.cancelling import CANCELLED_BY_CUSTOMER, CANCELLED_BY_SHOP
from sagas.desk.permissions import FOR_OTHERS
from sagas.desk.placing import OrderRequest, RequestedLine
from sagas.models import Event, SagaAction, SagaStepLog, State
from sagas.operations.commands import STOPPED

SHORT_FORM = ("book_id", "quantity", "price")
"""Of an order for one book."""


@extend_schema_serializer(examples=ITEM_ADDITIONS)
class ItemInput(StrictSerializer):
    book_id = CodeField()
    quantity = QuantityField()
    price = StrictIntegerField(
        required=False, min_value=0, help_text="The price you expect, in minor units; refused when it has changed"
    )


class CouponField(PatternField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[A-Za-z0-9_-]{1,32}\Z", **kwargs)


class OrderOptionsInput(StrictSerializer):
    """What can be said of an order besides its books and what pays."""

    payment_method = serializers.ChoiceField(PaymentMethod.choices, required=False)
    shipping_address = AddressField(required=False)
    region = PatternField(
        r"^[A-Z]{2}\Z",
        required=False,
        help_text="The region whose tax you expect: the country of the shipping_address; refused when it is not",
    )
    coupon = CouponField(required=False)
    saga = serializers.ChoiceField(SagaStyle.choices, required=False)

    @property
    def wishes(self) -> Wishes:
        """Of what was said, what a draft keeps."""
        asked = self.validated_data
        names = {
            "payment_method": "payment_method",
            "shipping_address": "address",
            "region": "region",
            "coupon": "coupon",
            "saga": "saga_style",
        }
        return {name: asked[said] or "" for said, name in names.items() if said in asked}


@extend_schema_serializer(examples=ORDERS)
class OrderInput(OrderOptionsInput):
    """An order: `items`, or the short form with one `book_id`, `quantity` and `price`."""

    schema_also: ClassVar = {
        "oneOf": [
            {"required": ["items"], "not": {"anyOf": [{"required": [name]} for name in SHORT_FORM]}},
            {"required": ["book_id", "quantity"], "not": {"required": ["items"]}},
        ]
    }

    customer_id = CodeField(
        required=False, help_text="For staff who may place orders for others; customers order for themselves"
    )
    items = serializers.ListField(
        child=ItemInput(), required=False, min_length=1, max_length=settings.MAX_LINES_PER_ORDER
    )
    book_id = CodeField(required=False)
    quantity = QuantityField(required=False)
    price = StrictIntegerField(required=False, min_value=0)
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    payment_token = PaymentTokenField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        short = {name: attrs.pop(name) for name in SHORT_FORM if name in attrs}
        if "items" in attrs:
            if short:
                raise serializers.ValidationError({name: ["Give either this or items."] for name in short})
        elif missing := {"book_id", "quantity"} - short.keys():
            raise serializers.ValidationError({name: ["Give this, or items."] for name in sorted(missing)})
        else:
            attrs["items"] = [short]
        return attrs

    def as_request(self, user: Any, style: str | None = None) -> OrderRequest:
        """What is asked for, with what was left open filled in. Raises UnknownCustomer."""
        asked = self.validated_data
        customer = buyer(user, asked.get("customer_id"))
        return OrderRequest(
            customer=customer,
            items=tuple(RequestedLine(**item) for item in asked["items"]),
            payment_method=asked["payment_method"],
            payment_token=asked.get("payment_token", ""),
            address=asked.get("shipping_address"),
            region=asked.get("region"),
            coupon=asked.get("coupon", ""),
            saga_style=style or asked.get("saga", settings.SAGA_STYLE),
            placed_by=actor_of(user, customer.pk),
        )


def buyer(user: Any, customer_id: str | None) -> Customer:
    """Only staff order for others, if they are permitted to; to everybody else there are no others.

    Raises UnknownCustomer and PermissionMissing.
    """
    own = customer_of(user)
    if own and customer_id in {None, own.pk}:
        return own
    if customer_id is None:
        raise UnknownCustomer("You are no customer yourself: say for whom you order, by customer_id.")
    if not sees_everything(user):
        raise UnknownCustomer(customer_id=customer_id)
    check_permission(user, FOR_OTHERS)
    return find_customer(customer_id)


@extend_schema_serializer(examples=[PLACED_ORDER])
class OrderAndSagaOutput(OrderOutput):
    """An order, and where its saga stands: null when it has none, because it is, or was, a draft."""

    saga_status = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(State.choices, allow_null=True))
    def get_saga_status(self, order: Order) -> str | None:
        return self.context["saga_status"]


@extend_schema_serializer(examples=CANCELLATION)
class CancelInput(StrictSerializer):
    reason = TextField(
        max_length=200,
        required=False,
        help_text=f"If left out: {CANCELLED_BY_CUSTOMER} If an operator cancels for a customer: {CANCELLED_BY_SHOP}",
    )


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
    reason = TextField(max_length=200, required=False, default=STOPPED)


@extend_schema_serializer(examples=ABANDONMENT)
class GiveUpInput(StrictSerializer):
    reason = TextField(max_length=200, help_text="The customer can read it")


@extend_schema_serializer(examples=[request_example("Nothing more", {})])
class NoInput(StrictSerializer):
    """A command that says all in its path."""


class StepOutput(serializers.ModelSerializer[SagaStepLog]):
    class Meta:
        model = SagaStepLog
        fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "started", "finished"]


class EventOutput(serializers.ModelSerializer[Event]):
    payload = serializers.DictField(source="details")

    class Meta:
        model = Event
        fields = ["seq", "event_type", "payload", "timestamp", "causation_id", "delivered_at"]


class ActionOutput(serializers.ModelSerializer[SagaAction]):
    class Meta:
        model = SagaAction
        fields = ["verb", "actor", "reason", "at", "outcome"]


@extend_schema_serializer(examples=[response_example("Payment declined", SAGA_EXAMPLE)])
class SagaStatusOutput(serializers.Serializer[Any]):
    """An order's saga: where it stands, the states that it has been in, every step and undo, every fact."""

    saga_id = serializers.UUIDField(source="saga.id")
    order_id = serializers.UUIDField(source="saga.order_id")
    style = serializers.ChoiceField(SagaStyle.choices, source="saga.saga_type")  # type: ignore[assignment]
    status = serializers.ChoiceField(State.choices, source="saga.status")
    current_step = serializers.CharField(source="saga.current_step")
    failure = serializers.DictField(source="saga.failure", allow_null=True)
    attention = serializers.CharField(source="saga.attention", allow_null=True)
    given_up_at = serializers.DateTimeField(source="saga.given_up_at", allow_null=True)
    started_at = serializers.DateTimeField(source="saga.created_at")
    finished_at = serializers.DateTimeField(source="saga.finished_at", allow_null=True)
    history = serializers.ListField(child=serializers.ChoiceField(State.choices))
    steps = StepOutput(many=True)
    events = EventOutput(many=True)
    actions = ActionOutput(many=True, help_text="What was asked of it by hand; shown to operators")
