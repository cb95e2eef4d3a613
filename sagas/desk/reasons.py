"""Why an order is cancelled, where nobody gives a reason."""

CANCELLED_BY_CUSTOMER = "The customer has cancelled."
CANCELLED_BY_SHOP = "The shop has cancelled the order."
STOPPED_BY_SHOP = "The shop has stopped the order."
