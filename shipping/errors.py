"""Why a shipping command fails."""

from cloudmart.kernel.errors import DomainError


class ShippingFailed(DomainError, code="shipping_failed"):
    """The delivery could not be arranged."""


class CarrierUnavailable(ShippingFailed):
    """The carrier could not be reached; no delivery was arranged."""


class AlreadyShipped(DomainError, code="already_shipped"):
    """The parcel was shipped; it can only be returned."""


class NotDelivered(DomainError, code="not_delivered"):
    """The parcel is not delivered, so the order cannot be returned."""


class ShipmentDiffers(DomainError, code="shipment_differs"):
    """The order has a parcel to another address."""


class ShipmentNotFound(DomainError, code="shipment_not_found"):
    """The order has no parcel."""
