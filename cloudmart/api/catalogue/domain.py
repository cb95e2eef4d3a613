"""The problems that the domain raises."""

from cloudmart.api.catalogue.problem import Problem
from cloudmart.api.examples import HOME, ORDER

PROBLEMS = {
    "already_shipped": Problem(
        409, "Have the customer send the parcel back, and return the order with POST /orders/{order_id}/return."
    ),
    "book_archived": Problem(
        409,
        "Leave the books out; DELETE /orders/{order_id}/items/{book_id} takes one out of a draft.",
        example={"book_ids": ["book-123"]},
    ),
    "book_exists": Problem(
        409,
        "Change that book with PATCH /books/{book_id}, or give the new one another code.",
        example={"book_id": "book-123"},
    ),
    "book_not_found": Problem(404, "List the books and their codes with GET /books."),
    "coupon_not_valid": Problem(
        409,
        "`reason` says why. `not_yet_valid`: wait until `valid_from`. `expired`, `used_up`: order without the coupon; "
        "remove it from a draft with PATCH /orders/{order_id} and `coupon` null. `quantity_too_low`: order at least "
        "`from_quantity` copies of a book.",
        example={"reason": "expired", "coupon": "WELCOME10", "valid_until": "2026-11-01T00:00:00Z"},
    ),
    "customer_not_found": Problem(404, "Leave customer_id out to order for yourself."),
    "delivery_not_found": Problem(404, "List the deliveries with GET /webhooks/deliveries."),
    "endpoint_not_found": Problem(404, "List the endpoints with GET /webhooks/endpoints."),
    "held_too_long": Problem(
        409,
        "Confirm the draft, or place an order. A draft can hold the book again when no draft of the customer has held "
        "it for `pause_seconds`.",
        example={"book_ids": ["book-123"], "pause_seconds": 900},
    ),
    "illegal_move": Problem(409, "Read the resource again, and decide by its present status."),
    "invalid_endpoint": Problem(
        422, "Send a URL that begins with https:// and names a host that can be reached on the public Internet."
    ),
    "item_not_found": Problem(
        404, "Add the book with POST /orders/{order_id}/items.", example={"book_id": "book-456"}
    ),
    "no_tax_rate": Problem(
        409, "An operator must enter the tax rate of the `region` in the admin.", example={"region": "JP"}
    ),
    "no_shipping_address": Problem(409, "Send shipping_address with the order."),
    "not_delivered": Problem(
        409,
        "Cancel an order that has not been shipped. GET /shipping/{order_id} shows where the parcel is.",
        example={"order_id": ORDER, "shipment_status": "shipped"},
    ),
    "order_cancelled": Problem(409, "Place a new order if the customer still wants the books."),
    "order_changed": Problem(409, "Read the draft again, and confirm its present content."),
    "order_is_draft": Problem(
        409, "Wait until POST /orders/{order_id}/confirm has placed it.", retry_after=60, example={"order_id": ORDER}
    ),
    "order_is_empty": Problem(409, "Add a book with POST /orders/{order_id}/items."),
    "order_not_draft": Problem(
        409,
        "Cancel the order with POST /orders/{order_id}/cancel, and open a new draft.",
        example={"order_status": "completed"},
    ),
    "order_too_large": Problem(
        409, "Place the rest as another order.", example={"most_lines": 100, "most_copies": 1000}
    ),
    "order_not_found": Problem(404, "Check the id. GET /orders lists the orders that you may see."),
    "order_returned": Problem(409, "Place a new order if the customer wants the books again."),
    "out_of_stock": Problem(
        409,
        "Lower each quantity to the number that `shortages` says is available, or try later.",
        example={"shortages": [{"book_id": "book-456", "requested": 1, "available": 0}]},
    ),
    "payment_declined": Problem(
        402,
        "Ask the customer for another means of payment. `reason` says why this one was declined: of a card "
        "`insufficient_funds` or `expired_card`, of e-money `insufficient_balance` or `limit_exceeded`; "
        "`wrong_payment_method` if the token is that of the other method.",
        example={"reason": "insufficient_funds", "order_id": ORDER, "saga_status": "FAILED"},
    ),
    "payment_differs": Problem(
        409,
        "Send the `amount` and `payment_method` of the payment, or see GET /payments/{order_id}.",
        example={"amount": 3850, "payment_method": "credit_card"},
    ),
    "payment_not_found": Problem(404, "Check the order's id. You may see only the payments of your own orders."),
    "payment_unavailable": Problem(402, "Place the order again later."),
    "price_changed": Problem(
        409,
        "Show the customer the current `prices`, and order at those.",
        example={"prices": [{"book_id": "book-123", "expected": 3000, "current": 3500}]},
    ),
    "reference_reused": Problem(
        409,
        "Give each new refund, delivery or count a `reference` of its own.",
        "This reference belongs to an earlier refund, delivery or count.",
        example={"reference": "return-1", "amount": 500},
    ),
    "refund_exceeds_payment": Problem(409, "Refund at most `refundable`.", example={"refundable": 350}),
    "region_differs": Problem(
        409,
        "Leave region out, or correct it or the country of shipping_address. The tax of `region` is due.",
        example={"region": "JP"},
    ),
    "reservation_differs": Problem(
        409,
        "Reserve the number of copies that the order holds, or release them and use a new order_id.",
        example={"book_id": "book-123", "held": 2, "asked": 3},
    ),
    "reservation_ended": Problem(
        409,
        "Reserve the books under a new order_id. POST /orders/{order_id}/cancel returns sold books to the stock.",
        example={"book_id": "book-123", "reservation_status": "released"},
    ),
    "reservation_expired": Problem(
        409,
        "Place the order again; or confirm the draft, which reserves its books again if they are available.",
        example={"book_ids": ["book-123"]},
    ),
    "saga_abandoned": Problem(
        409,
        "POST /saga/{order_id}/resume continues the saga, POST /saga/{order_id}/compensate undoes the order.",
        example={"order_id": ORDER, "reason": "The card is closed; refunded by bank transfer 4711"},
    ),
    "saga_not_found": Problem(404, "Check the order's id."),
    "saga_running": Problem(
        409,
        "Wait. GET /saga/{order_id}/status shows the progress, POST /saga/{order_id}/cancel compensates the saga.",
        retry_after=1,
    ),
    "saga_timed_out": Problem(
        409,
        "Everything was undone. Place a new order if the customer still wants the books.",
        example={"order_id": ORDER, "saga_status": "FAILED"},
    ),
    "shipment_differs": Problem(
        409, "Send the address of the parcel, or see GET /shipping/{order_id}.", example={"shipping_address": HOME}
    ),
    "shipment_not_found": Problem(404, "Check the order's id. You may see only the parcels of your own orders."),
    "shipping_failed": Problem(
        409,
        "Everything else was undone. Place the order again with another shipping_address, or later.",
        example={"reason": "not_served", "order_id": ORDER, "saga_status": "FAILED"},
    ),
    "stock_is_reserved": Problem(409, "Remove fewer copies, or release reservations first."),
    "too_many_drafts": Problem(
        409, "Confirm, cancel or delete a draft; GET /orders?status=draft lists them.", example={"most_drafts": 10}
    ),
    "too_much_stock": Problem(
        409, "Add fewer copies; `most` is the highest number allowed.", example={"most": 2 * 10**9}
    ),
    "unknown_coupon": Problem(404, "Leave the coupon out, or correct it."),
}
