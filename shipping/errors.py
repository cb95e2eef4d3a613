"""Why a shipping command fails."""

from cloudmart.kernel.errors import DomainError


class ShippingFailed(DomainError):
    """The delivery could not be arranged."""

    code = "shipping_failed"


class CarrierUnavailable(ShippingFailed):
    """The carrier could not be reached; no delivery was arranged."""


class AlreadyShipped(DomainError):
    """The parcel was shipped; it can only be returned."""

    code = "already_shipped"


class ShipmentDiffers(DomainError):
    """The order has a parcel to another address."""

    code = "shipment_differs"


class ShipmentNotFound(DomainError):
    """The order has no parcel."""

    code = "shipment_not_found"
