"""The types of the events that leave the shop, and the versions of their data."""

from cloudmart.kernel.choices import TranslatedChoices


class EventType(TranslatedChoices):
    """What the shop publishes to other systems."""

    ORDER_COMPLETED = "order.completed"  #: The order is paid, and its delivery is arranged.
    ORDER_CANCELLED = "order.cancelled"  #: The order has failed or was cancelled, and all of it is undone.
    ORDER_RETURNED = "order.returned"  #: The delivered order has come back, and all of it is undone.
    PAYMENT_REFUNDED = "payment.refunded"  #: The customer has money of the order back: all of it, or a part.
    PARCEL_SHIPPED = "parcel.shipped"  #: The carrier has collected the parcel.
    PARCEL_DELIVERED = "parcel.delivered"  #: The customer has the parcel.
    STOCK_LOW = "stock.low"  #: The available copies of a book have fallen to its threshold.
    TEST = "test"  #: An operator tests an endpoint. It is sent to that endpoint only.


DATA_VERSIONS = dict.fromkeys(EventType, 1)
"""The version of each type's data. It rises when a member is removed, renamed, or gets another meaning."""
