"""Why a parcel does not go, or does not come back."""

from cloudmart.kernel.errors import DomainError


class ShippingFailed(DomainError):
    """The delivery could not be arranged."""

    code = "shipping_failed"


class CarrierUnavailable(ShippingFailed):
    """The carrier could not be reached; no delivery was arranged."""


class AlreadyShipped(DomainError):
    """The parcel is on its way; it can only be returned."""

    code = "already_shipped"


class ShipmentDiffers(DomainError):
    """The order has a parcel to another address."""

    code = "shipment_differs"


class ShipmentNotFound(DomainError):
    """There is no parcel for this order."""

    code = "shipment_not_found"
