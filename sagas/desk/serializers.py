"""Orders as the API reads and shows them."""

from typing import Any, ClassVar, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import CANCELLATION, ITEM_ADDITIONS, ORDERS, PLACED_ORDER, request_example
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
from orders.drafts import DraftChanges
from orders.errors import UnknownCustomer
from orders.models import Customer, Order, SagaStyle
from orders.selectors import find_customer
from orders.serializers import OrderOutput
from sagas.desk.permissions import FOR_OTHERS
from sagas.desk.reasons import CANCELLED_BY_CUSTOMER, CANCELLED_BY_SHOP
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.models import State

SHORT_FORM = ("book_id", "quantity", "price")
"""The members of an order for one book."""


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
    """The options of an order besides its books and its payment token."""

    payment_method = serializers.ChoiceField(
        PaymentMethod.choices, required=False, help_text="If left out, the customer's own"
    )
    shipping_address = AddressField(required=False)
    region = PatternField(
        r"^[A-Z]{2}\Z",
        required=False,
        help_text="The region whose tax you expect: the country of the shipping_address; refused when it is not",
    )
    coupon = CouponField(required=False)
    saga = serializers.ChoiceField(SagaStyle.choices, required=False)

    @property
    def changes(self) -> DraftChanges:
        """The options that a draft keeps."""
        asked = self.validated_data
        names = {
            "payment_method": "payment_method",
            "shipping_address": "address",
            "region": "region",
            "coupon": "coupon",
            "saga": "saga_style",
        }
        return cast(DraftChanges, {name: asked[said] or "" for said, name in names.items() if said in asked})


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

    def as_request(self, user: Any, style: str | None = None, skips_stock_check: bool = False) -> OrderRequest:
        """Returns the request, with defaults for what was left out. Raises UnknownCustomer and PermissionMissing."""
        asked = self.validated_data
        customer = buyer(user, asked.get("customer_id"))
        return OrderRequest(
            customer=customer,
            items=tuple(RequestedLine(**item) for item in asked["items"]),
            payment_method=asked.get("payment_method", customer.payment_method),
            payment_token=asked.get("payment_token", ""),
            address=asked.get("shipping_address"),
            region=asked.get("region"),
            coupon=asked.get("coupon", ""),
            saga_style=style or asked.get("saga", settings.SAGA_STYLE),
            placed_by=actor_of(user, customer.pk),
            skips_stock_check=skips_stock_check,
        )


def buyer(user: Any, customer_id: str | None) -> Customer:
    """Returns the customer who is ordered for. Only staff with the permission order for others.

    Raises UnknownCustomer and PermissionMissing.
    """
    own = customer_of(user)
    if own and customer_id in {None, own.pk}:
        return own
    if customer_id is None:
        raise UnknownCustomer("You are no customer yourself: give the customer_id of the customer who orders.")
    if not sees_everything(user):
        raise UnknownCustomer(customer_id=customer_id)
    check_permission(user, FOR_OTHERS)
    return find_customer(customer_id)


@extend_schema_serializer(examples=[PLACED_ORDER])
class OrderAndSagaOutput(OrderOutput):
    """An order with the state of its saga: null if it has none, because it is, or was, a draft."""

    saga_status = serializers.ChoiceField(State.choices, allow_null=True, default=None, read_only=True)

    def to_representation(self, order: Order) -> dict[str, Any]:
        return {**super().to_representation(order), "saga_status": self.context["saga_status"]}


@extend_schema_serializer(examples=CANCELLATION)
class CancelInput(StrictSerializer):
    reason = TextField(
        max_length=200,
        required=False,
        help_text=f"If left out: {CANCELLED_BY_CUSTOMER} If an operator cancels for a customer: {CANCELLED_BY_SHOP}",
    )


@extend_schema_serializer(examples=[request_example("Nothing more", {})])
class NoInput(StrictSerializer):
    """A command without parameters."""
