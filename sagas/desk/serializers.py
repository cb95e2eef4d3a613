"""Orders as the API reads and shows them."""

from typing import Any, ClassVar, cast

from django.conf import settings
from django.utils.translation import gettext_noop
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.addresses import AddressField
from cloudmart.api.aliases import Wrapper
from cloudmart.api.fields import (
    CodeField,
    EmailField,
    PatternField,
    PaymentTokenField,
    QuantityField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
)
from cloudmart.api.permissions import check_staff
from cloudmart.api.short_form import short_form_rule, with_items
from cloudmart.kernel.order import PaymentMethod
from cloudmart.kernel.viewers import actor_of, customer_of
from orders.drafts import DraftChanges
from orders.errors import UnknownCustomer
from orders.guests import new_guest
from orders.models import Customer, Order, SagaStyle
from orders.price_rules import COUPON_CODE
from orders.selectors import find_customer
from orders.serializers import OrderOutput
from sagas.desk.examples import (
    CANCELLATION,
    ITEM_ADDITIONS,
    ORCHESTRATED_ORDERS,
    ORDERS,
    PLACED_ORDER,
    WRAPPED_CANCELLATION,
)
from sagas.desk.permissions import FOR_OTHERS
from sagas.desk.reasons import CANCELLED_BY_CUSTOMER, CANCELLED_BY_SHOP
from sagas.desk.requests import OrderRequest, RequestedLine
from sagas.models import State

SHORT_FORM = ("book_id", "title", "quantity", "price")
"""The members of an order for one book."""


class PriceField(StrictIntegerField):
    def __init__(self) -> None:
        help_text = "The price of a copy that you expect, in minor units; refused if it has changed"
        super().__init__(required=False, min_value=0, help_text=help_text)


class TitleField(TextField):
    def __init__(self) -> None:
        super().__init__(required=False, max_length=300, allow_blank=True, help_text="Ignored: the shop has its own")


@extend_schema_serializer(examples=ITEM_ADDITIONS)
class ItemInput(StrictSerializer):
    wrapper = Wrapper.ORDER_ITEM

    book_id = CodeField()
    title = TitleField()
    quantity = QuantityField()
    price = PriceField()


def requested_line(item: dict[str, Any]) -> RequestedLine:
    """Returns the line that this item asks for."""
    return RequestedLine(item["book_id"], item["quantity"], item.get("price"))


class CouponField(PatternField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(COUPON_CODE, help_text="The code of a coupon; its case matters", **kwargs)


class OrderOptionsInput(StrictSerializer):
    """The options of an order besides its books and its payment token."""

    wrapper = Wrapper.ORDER

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


class BuyerInput(OrderOptionsInput):
    """Who orders, and the options of the order."""

    rules: ClassVar[tuple[dict[str, Any], ...]] = (
        {"not": {"required": ["customer_id", "customer_name"]}},
        {"anyOf": [{"required": ["customer_name"]}, {"not": {"required": ["customer_email"]}}]},
    )

    customer_id = CodeField(
        required=False, help_text="For staff who may place orders for others; customers order for themselves"
    )
    customer_name = TextField(
        required=False,
        max_length=200,
        help_text="For staff who may place orders for others: creates a customer, with a code of its own",
    )
    customer_email = EmailField(required=False, help_text="The guest's, if they have given one")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "customer_name" in attrs and "customer_id" in attrs:
            raise serializers.ValidationError({"customer_name": ["Give either this or customer_id."]})
        if "customer_email" in attrs and "customer_name" not in attrs:
            raise serializers.ValidationError({"customer_email": ["Give this with customer_name."]})
        return attrs

    @property
    def is_for_guest(self) -> bool:
        return "customer_name" in self.validated_data

    def buyer(self, user: Any) -> Customer:
        """Returns who is ordered for: the user, another customer, or a guest, who is not stored yet.

        Only staff with the permission order for others. Raises UnknownCustomer and PermissionMissing.
        """
        asked = self.validated_data
        if not self.is_for_guest:
            return known_customer(user, asked.get("customer_id"))
        check_staff(user, FOR_OTHERS)
        return new_guest(asked["customer_name"], asked.get("customer_email", ""), asked.get("shipping_address"))


@extend_schema_serializer(examples=ORDERS)
class OrderInput(BuyerInput):
    """An order: `items`, or the short form with one `book_id`, `quantity` and `price`."""

    rules = (
        *BuyerInput.rules,
        short_form_rule(SHORT_FORM),
    )
    may_be_empty = False

    items = serializers.ListField(
        child=ItemInput(), required=False, min_length=1, max_length=settings.MAX_LINES_PER_ORDER
    )
    book_id = CodeField(required=False)
    title = TitleField()
    quantity = QuantityField(required=False)
    price = PriceField()
    payment_token = PaymentTokenField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return with_items(super().validate(attrs), SHORT_FORM)

    def as_request(self, user: Any, skips_stock_check: bool = False) -> OrderRequest:
        """Returns the request, with defaults for what was left out. Raises UnknownCustomer and PermissionMissing."""
        asked, customer = self.validated_data, self.buyer(user)
        return OrderRequest(
            customer=customer,
            is_for_guest=self.is_for_guest,
            items=tuple(map(requested_line, asked["items"])),
            payment_method=asked.get("payment_method", customer.payment_method),
            payment_token=asked.get("payment_token", ""),
            address=asked.get("shipping_address"),
            region=asked.get("region"),
            coupon=asked.get("coupon", ""),
            saga_style=asked.get("saga", settings.SAGA_STYLE),
            placed_by=actor_of(user, customer.pk),
            skips_stock_check=skips_stock_check,
        )


@extend_schema_serializer(examples=ORCHESTRATED_ORDERS)
class SagaInput(OrderInput):
    """An order that is orchestrated."""

    saga = serializers.ChoiceField(
        [SagaStyle.ORCHESTRATION],
        default=SagaStyle.ORCHESTRATION,
        error_messages={"invalid_choice": "Only orchestration starts here. POST /orders takes both styles."},
    )


def known_customer(user: Any, customer_id: str | None) -> Customer:
    """Returns the customer who is ordered for. Raises UnknownCustomer and PermissionMissing."""
    own = customer_of(user)
    if own and customer_id in {None, own.pk}:
        return own
    if customer_id is None:
        raise UnknownCustomer(
            gettext_noop("You are no customer yourself: give the customer_id of the customer who orders.")
        )
    if not user.is_staff:
        raise UnknownCustomer(customer_id=customer_id)
    check_staff(user, FOR_OTHERS)
    return find_customer(customer_id)


@extend_schema_serializer(examples=[PLACED_ORDER])
class OrderAndSagaOutput(OrderOutput):
    """An order with the state of its saga: null if it has none, because it is, or was, a draft."""

    saga_status = serializers.ChoiceField(State.choices, allow_null=True, default=None, read_only=True)

    def to_representation(self, order: Order) -> dict[str, Any]:
        return {**super().to_representation(order), "saga_status": self.context["saga_status"]}


@extend_schema_serializer(examples=[*CANCELLATION, WRAPPED_CANCELLATION])
class CancelInput(StrictSerializer):
    wrapper = Wrapper.ORDER

    reason = TextField(
        max_length=200,
        required=False,
        help_text=f"If left out: {CANCELLED_BY_CUSTOMER} If an operator cancels for a customer: {CANCELLED_BY_SHOP}",
    )
