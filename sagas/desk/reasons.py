"""Why an order is cancelled or returned, where nobody gives a reason."""

CANCELLED_BY_CUSTOMER = "The customer has cancelled."
CANCELLED_BY_SHOP = "The shop has cancelled the order."
STOPPED_BY_SHOP = "The shop has stopped the order."
RETURNED_BY_CUSTOMER = "The customer has sent the books back."
