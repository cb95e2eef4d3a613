"""What has happened to an order, over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import generics, serializers

from cloudmart.api.fields import SharedFields
from cloudmart.api.pagination import NumberedPages
from cloudmart.api.schema import refuses
from orders.errors import OrderNotFound
from orders.models import SagaStyle
from sagas.desk.examples import TIMELINE_ENTRIES
from sagas.desk.timeline import Entry, timeline_of
from sagas.events import EventType


@extend_schema_serializer(examples=TIMELINE_ENTRIES)
class TimelineEntryOutput(SharedFields):
    """Something that has happened to an order. Amounts are in minor units of the shop's currency."""

    position = serializers.IntegerField(min_value=1)
    event_type = serializers.ChoiceField(EventType.choices)
    order_id = serializers.UUIDField()
    customer_id = serializers.CharField()
    book_id = serializers.CharField(
        allow_null=True, help_text="The book concerned; null if there are several, or none"
    )
    quantity = serializers.IntegerField(min_value=0, help_text="Copies of the books concerned")
    total_amount = serializers.IntegerField(min_value=0, help_text="What the order amounts to")
    timestamp = serializers.DateTimeField()
    style = serializers.ChoiceField(SagaStyle.choices)  # type: ignore[assignment]
    actor = serializers.CharField(allow_null=True, help_text="Who did it, if a person did; shown to operators")
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="What this kind of event says besides"
    )


@extend_schema_view(get=extend_schema(summary="List what has happened to an order"))
@refuses(OrderNotFound)
class OrderEvents(generics.ListAPIView[Any]):
    """Oldest first, the same in both styles: the changes of the draft, the steps of the saga, the failures, and what
    was undone because of them.

    | event | data |
    | --- | --- |
    | ItemAdded, ItemRemoved | of the draft: the copies added or removed are `book_id` and `quantity` |
    | OrderConfirmed, OrderCreated, OrderCompleted | `lines` and amounts |
    | StockReserved, StockConfirmed | `lines` |
    | PaymentCompleted | `amount`, `transaction_id`, `attempts` |
    | ShippingArranged | `carrier`, `tracking_number`, `attempts` |
    | OrderShipped, OrderDelivered | `carrier`, `tracking_number`, and the carrier's `shipped_at` or `delivered_at` |
    | AttemptFailed | `command`, `attempt`, `error`: a provider call failed; operators read how; see the next entries |
    | StockUnavailable, PaymentFailed, ShippingFailed, OrderTimedOut | `code`, `detail`, and more of the failure |
    | OrderCancelRequested, OrderReturnRequested | `code`, `detail`, `reason` |
    | StockReleased | `lines`, `reason` |
    | PaymentRefunded, PaymentCancelled | `amount`; without one, nothing was left to give back |
    | ShippingCancelled | `carrier`, `tracking_number`; without them, there was no parcel to cancel |
    | ShippingReturned | nothing: the delivered parcel has come back |
    | OrderCancelled, OrderReturned | `code`, `reason`, `lines` and amounts |
    """

    serializer_class = TimelineEntryOutput
    pagination_class = NumberedPages
    filter_backends = ()

    def get_queryset(self) -> list[Entry]:  # type: ignore[override]
        return timeline_of(self.kwargs["order_id"], self.request.user)
