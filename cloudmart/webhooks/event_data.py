"""What the data of each type of event consists of, for the API's description. Later versions may have more members."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cloudmart.api.fields import bare, text_schema
from cloudmart.database.fields import CODE
from cloudmart.outbox.types import DATA_VERSIONS, EventType

SEQUENCE = r"^[0-9]{10,}\Z"
STYLE = r"^(orchestration|choreography)\Z"

Data = type[serializers.Serializer[Any]]


def one_of_these(*values: str) -> dict[str, Any]:
    """Returns the schema of a text that is one of these."""
    return text_schema(rf"^({'|'.join(values)})\Z")


def text(schema: dict[str, Any], **kwargs: Any) -> serializers.CharField:
    """Returns a field with this schema."""
    kind: Any = extend_schema_field(schema)(type("EventText", (serializers.CharField,), {}))
    field: serializers.CharField = kind(**kwargs)
    return field


def constant(value: str) -> serializers.CharField:
    """Returns a field that always has this value."""
    return text({"type": "string", "const": value})


class AmountField(serializers.IntegerField):
    """An amount in minor units of the currency."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, **kwargs)


class EventLine(serializers.Serializer[Any]):
    book_id = text(text_schema(CODE))
    title = serializers.CharField()
    unit_price = AmountField()
    quantity = serializers.IntegerField(min_value=1)


class EventReason(serializers.Serializer[Any]):
    """Why the order is undone; `code` is one of the problem codes."""

    code = serializers.CharField()
    detail = serializers.CharField()
    reason = serializers.CharField(
        help_text="What the provider, or who has cancelled, gave as the reason; may be empty"
    )


class EventRefund(serializers.Serializer[Any]):
    refund_id = serializers.UUIDField()
    amount = AmountField()


class EventPayment(serializers.Serializer[Any]):
    charged = AmountField()
    refunded = AmountField()
    refunds = EventRefund(many=True)


class EventParcel(serializers.Serializer[Any]):
    carrier = serializers.CharField()
    tracking_number = serializers.CharField(allow_null=True)


class OfAnOrder(serializers.Serializer[Any]):
    order_id = serializers.UUIDField()
    customer_id = text(text_schema(CODE))


class OrderOutcome(OfAnOrder):
    """The whole outcome of an order."""

    style = text(text_schema(STYLE), help_text="Of the saga that has processed it")  # type: ignore[assignment]
    lines = EventLine(many=True)
    subtotal = AmountField()
    discount = AmountField()
    tax = AmountField()
    total = AmountField()
    currency = text(text_schema(r"^[A-Z]{3}\Z"))
    coupon = serializers.CharField(help_text="Empty without one")
    payment_method = serializers.CharField()
    reason = EventReason(allow_null=True)
    cancelled_by = text(
        one_of_these("customer", "shop"),
        allow_null=True,
        help_text="Who wanted it undone; null if nobody did: it has failed",
    )
    payment = EventPayment()
    parcel = EventParcel(allow_null=True)
    placed_at = serializers.DateTimeField()


class OrderCompletedData(OrderOutcome):
    """The order is paid, and its delivery is arranged."""

    status = constant("completed")


class OrderCancelledData(OrderOutcome):
    """The order has failed or was cancelled, and all of it is undone."""

    status = constant("cancelled")


class OrderReturnedData(OrderOutcome):
    """The delivered order has come back, and all of it is undone."""

    status = constant("returned")


class OfAnyOrder(OfAnOrder):
    """Payments and parcels may be of another system's order."""

    customer_id = serializers.CharField(help_text="Empty if another system's order has none")


class PaymentRefundedData(OfAnyOrder):
    """The customer has money of the order back: all of it, or a part."""

    payment_id = serializers.UUIDField()
    refund_id = serializers.UUIDField()
    amount = AmountField(help_text="Of this refund")
    refunded_total = AmountField()
    charged = AmountField()
    currency = text(text_schema(r"^[A-Z]{3}\Z"))
    transaction_id = serializers.CharField(help_text="The provider's")
    reference = serializers.CharField(help_text="Which of the order's refunds it is")
    reason = serializers.CharField()


class ParcelData(OfAnyOrder):
    shipment_id = serializers.UUIDField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()


class ParcelShippedData(ParcelData):
    """The carrier has collected the parcel."""

    shipped_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)


class ParcelDeliveredData(ParcelData):
    """The customer has the parcel."""

    shipped_at = serializers.DateTimeField(allow_null=True, help_text="Null if the carrier never said so")
    delivered_at = serializers.DateTimeField()


class StockLowData(serializers.Serializer[Any]):
    """The available copies of a book have fallen to its threshold."""

    book_id = text(text_schema(CODE))
    available = serializers.IntegerField()
    on_hand = serializers.IntegerField(min_value=0)
    reserved = serializers.IntegerField(min_value=0)
    threshold = serializers.IntegerField(min_value=0)


class EndpointTestData(serializers.Serializer[Any]):
    """An operator tests an endpoint. It is sent to that endpoint only."""

    endpoint_id = serializers.UUIDField()


DATA: dict[EventType, Data] = {
    EventType.ORDER_COMPLETED: OrderCompletedData,
    EventType.ORDER_CANCELLED: OrderCancelledData,
    EventType.ORDER_RETURNED: OrderReturnedData,
    EventType.PAYMENT_REFUNDED: PaymentRefundedData,
    EventType.PARCEL_SHIPPED: ParcelShippedData,
    EventType.PARCEL_DELIVERED: ParcelDeliveredData,
    EventType.STOCK_LOW: StockLowData,
    EventType.TEST: EndpointTestData,
}


class CloudEvent(serializers.Serializer[Any]):
    """A CloudEvents 1.0 document. The same each time that the event is sent."""

    specversion = constant("1.0")
    id = serializers.UUIDField(help_text="The webhook-id too: a repeat has the same")
    source = serializers.CharField(help_text="The shop")  # type: ignore[assignment]
    subject = text(text_schema(CODE), help_text="The id of the order, or the book's code")
    time = serializers.DateTimeField()
    datacontenttype = constant("application/json")
    sequence = text(
        text_schema(SEQUENCE),
        required=False,
        help_text="1 for the subject's first event, without a gap; not of a test",
    )
    traceparent = serializers.CharField(required=False, help_text="W3C Trace Context, if the shop traces")


def event_of(event_type: EventType) -> Data:
    """Returns the document of this type of event, with its data."""
    name = "".join(part.title() for part in event_type.split("."))
    schema = rf"^.+:{bare(event_type)}:{DATA_VERSIONS[event_type]}\Z".replace(".", r"\.").replace(r"\.+", ".+")
    members = {
        "type": constant(event_type),
        "dataschema": text(text_schema(schema), help_text="The version of the data is its last part"),
        "data": DATA[event_type](),
        "__doc__": CloudEvent.__doc__,
        "__module__": __name__,
    }
    return type(f"{name}Event", (CloudEvent,), members)


EVENTS = {event_type: event_of(event_type) for event_type in EventType}
