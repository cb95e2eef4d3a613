"""Every code that a problem answer can have: its HTTP status, what it means, and what a client should do."""

from dataclasses import dataclass, field
from typing import Any

from cloudmart.api.examples import HOME, ORDER


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of "no". The code never changes; the sentences may."""

    status: int
    meaning: str
    advice: str
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""
    example: dict[str, Any] = field(default_factory=dict)
    """Facts as they may stand in the answer, for the documentation."""


CATALOGUE = {
    # --- What the shop refuses ------------------------------------------------------------------
    "already_shipped": Problem(
        409, "The carrier has the parcel; it cannot be held back.", "Have the customer return it, then refund."
    ),
    "book_not_found": Problem(404, "There is no book with such a code.", "Look codes up with GET /inventory."),
    "customer_not_found": Problem(
        404, "There is no such customer, or it is not you.", "Leave customer_id out to order for yourself."
    ),
    "held_too_long": Problem(
        409,
        "The customer's drafts have held the book for as long as they may.",
        "Confirm the draft, or place an order; a draft can hold the book again when none has for `pause_seconds`.",
        example={"book_ids": ["book-123"], "pause_seconds": 900},
    ),
    "illegal_move": Problem(
        409, "Its present status does not allow that.", "Read it again, and decide by the status that it has now."
    ),
    "item_not_found": Problem(
        404,
        "The book is not in the order.",
        "Add it with POST /orders/{order_id}/items.",
        example={"book_id": "book-456"},
    ),
    "no_payment_method": Problem(
        400, "Neither the draft nor its confirmation says how it is paid.", "Confirm it with a payment_method."
    ),
    "no_shipping_address": Problem(
        400, "Neither the order nor the customer has an address.", "Send shipping_address with the order."
    ),
    "order_cancelled": Problem(
        409, "The order was cancelled; nothing more is done for it.", "Place a new order if it is still wanted."
    ),
    "order_changed": Problem(
        409, "The draft was changed while it was being confirmed.", "Look at it again, and confirm what it is now."
    ),
    "order_is_draft": Problem(
        409,
        "The order is a draft still; nothing is held, paid or sent for it by hand before it is confirmed.",
        "Wait until POST /orders/{order_id}/confirm has placed it.",
        retry_after=60,
        example={"order_id": ORDER},
    ),
    "order_is_empty": Problem(409, "There is no book in the order.", "Add one with POST /orders/{order_id}/items."),
    "order_not_draft": Problem(
        409,
        "The order has been placed or cancelled; its books are no longer to be changed.",
        "Cancel it with POST /orders/{order_id}/cancel, and open a new draft.",
        example={"order_status": "completed"},
    ),
    "order_too_large": Problem(
        409,
        "An order has only so many lines, and a line only so many copies.",
        "Place the rest as another order.",
        example={"most_lines": 100, "most_copies": 1000},
    ),
    "order_not_found": Problem(
        404, "There is no such order, or it is not yours.", "Check the id; list yours: GET /orders."
    ),
    "out_of_stock": Problem(
        409,
        "Fewer copies are available than were asked for.",
        "Lower each quantity to what `shortages` says is available, or try later.",
        example={"shortages": [{"book_id": "book-456", "requested": 1, "available": 0}]},
    ),
    "payment_declined": Problem(
        402,
        "The payment provider has refused the charge.",
        "Ask the customer for another card; `reason` says why.",
        example={"reason": "insufficient_funds", "order_id": ORDER, "saga_status": "FAILED"},
    ),
    "payment_differs": Problem(
        409,
        "The order has a payment of another amount or by another method.",
        "Ask with the `amount` and `payment_method` that it has, or see GET /payments/{order_id}.",
        example={"amount": 3850, "payment_method": "credit_card"},
    ),
    "payment_not_found": Problem(
        404, "There is no payment for this order, or it is not yours.", "Check the order's id."
    ),
    "payment_unavailable": Problem(
        402, "The payment provider could not be reached; nothing was charged.", "Place the order anew in a while."
    ),
    "price_changed": Problem(
        409,
        "A book no longer costs what the order expected.",
        "Show the customer the `prices` of now, and order with those.",
        example={"prices": [{"book_id": "book-123", "expected": 3000, "current": 3500}]},
    ),
    "reference_reused": Problem(
        409,
        "This reference stands for something else that was done before.",
        "Give each new refund, delivery or count a `reference` of its own.",
        example={"reference": "return-1", "amount": 500},
    ),
    "refund_exceeds_payment": Problem(
        409,
        "No more can be refunded than was captured and has not been refunded yet.",
        "Ask for at most what `refundable` says.",
        example={"refundable": 350},
    ),
    "region_differs": Problem(
        409,
        "The region that was stated is not the country that the order goes to.",
        "Leave region out, or correct it or the country of shipping_address; `region` is the one whose tax is due.",
        example={"region": "JP"},
    ),
    "reservation_differs": Problem(
        409,
        "The order holds another number of copies of a book.",
        "Ask for as many as it holds, or release those first and use a new order_id.",
        example={"book_id": "book-123", "held": 2, "asked": 3},
    ),
    "reservation_ended": Problem(
        409,
        "What the order held was given back, has expired or is sold.",
        "Reserve anew, under a new order_id; what is sold goes back with POST /orders/{order_id}/cancel.",
        example={"book_id": "book-123", "reservation_status": "released"},
    ),
    "reservation_expired": Problem(
        409,
        "The hold on the stock has run out.",
        "Place the order anew; or confirm the draft, which holds its books again where there are copies.",
        example={"book_ids": ["book-123"]},
    ),
    "saga_abandoned": Problem(
        409,
        "An operator has abandoned the order's saga.",
        "POST /saga/{order_id}/resume has it go on, POST /saga/{order_id}/compensate undoes it.",
        example={"order_id": ORDER, "reason": "The card is closed; refunded by bank transfer 4711"},
    ),
    "saga_not_found": Problem(404, "There is no saga of this order.", "Check the order's id."),
    "saga_running": Problem(
        409,
        "The order's saga is still at work.",
        "Wait; GET /saga/{order_id}/status tells how it goes, POST /saga/{order_id}/cancel has it turn back.",
        retry_after=1,
    ),
    "saga_timed_out": Problem(
        409,
        "The order could not be finished in time; everything is undone.",
        "Place a new order if it is still wanted.",
        example={"order_id": ORDER, "saga_status": "FAILED"},
    ),
    "shipment_differs": Problem(
        409,
        "The order has a parcel to another address.",
        "Ask with the address that it has, or see GET /shipping/{order_id}.",
        example={"shipping_address": HOME},
    ),
    "shipment_not_found": Problem(
        404, "There is no parcel for this order, or it is not yours.", "Check the order's id."
    ),
    "shipping_failed": Problem(
        409,
        "The delivery could not be arranged; everything else was undone.",
        "Try another shipping_address, or later.",
        example={"reason": "not_served", "order_id": ORDER, "saga_status": "FAILED"},
    ),
    "stock_is_reserved": Problem(
        409, "Copies that are held for orders cannot be taken off the shelf.", "Take fewer, or release holds first."
    ),
    "too_many_drafts": Problem(
        409,
        "The customer has as many open drafts as they may.",
        "Confirm, cancel or delete one of them; GET /orders?status=draft lists them.",
        example={"most_drafts": 10},
    ),
    "too_much_stock": Problem(
        409,
        "No shelf holds that many copies.",
        "Add fewer; `most` says how many there may be.",
        example={"most": 2 * 10**9},
    ),
    "unknown_coupon": Problem(404, "There is no such coupon.", "Leave the coupon out, or correct it."),
    # --- What HTTP refuses ----------------------------------------------------------------------
    "authentication_failed": Problem(
        401, "The token is wrong or has expired.", "Send a valid one: Authorization: Bearer TOKEN."
    ),
    "body_too_large": Problem(
        413, "The body is too large.", "Send less at once; the detail says how much may be sent."
    ),
    "busy": Problem(
        503,
        "The database has too much to do just now.",
        "Send it again after Retry-After seconds, with its Idempotency-Key if it had one. Without one, look up the "
        "`order_id` first, where there is one: do not place that order again.",
        retry_after=1,
    ),
    "charset_not_supported": Problem(
        400,
        "The Content-Type names a charset that is not UTF-8.",
        "Send UTF-8, with Content-Type: application/json and no charset.",
    ),
    "database_unavailable": Problem(
        503,
        "The database cannot be reached, or cannot write, just now; what was asked for may have been done, or not.",
        "Send it again after Retry-After seconds with the same Idempotency-Key: what was done is not done again. "
        "Without a key, look up the `order_id` first, where there is one: do not place that order again.",
        retry_after=5,
    ),
    "conflict": Problem(
        409,
        "This conflicts with something that was done meanwhile.",
        "Read again what you are changing, then repeat.",
        retry_after=1,
    ),
    "error": Problem(400, "The request cannot be answered.", "Check the Host header and the address."),
    "idempotency_key_in_use": Problem(
        409,
        "The request with this Idempotency-Key is still being worked on.",
        "Send it again, with the same key, after Retry-After seconds; `order_id`, where given, is its order.",
        retry_after=1,
    ),
    "idempotency_key_malformed": Problem(
        400, "The Idempotency-Key is empty, too long, or no text.", "Send 1 to 255 characters; a UUID is a good key."
    ),
    "idempotency_key_reused": Problem(
        422, "This Idempotency-Key was used for another request.", "Make a new key for each new request."
    ),
    "internal_error": Problem(
        500,
        "Something went wrong on our side.",
        "Try again; if it stays, report the `error_id`, which is in our log.",
        example={"error_id": "5f1c6f0a2b7e4d6c9a3b8e7d6c5b4a39"},
    ),
    "order_in_doubt": Problem(
        500,
        "Something went wrong on our side after the order was taken.",
        "Look the order up with GET /orders/{order_id}, and do not place it again unless that says 404: it is carried "
        "on by itself. To cancel it may be repeated. The `error_id` is in our log.",
        example={"order_id": ORDER, "error_id": "5f1c6f0a2b7e4d6c9a3b8e7d6c5b4a39"},
    ),
    "invalid": Problem(
        400,
        "The request has errors.",
        "Correct the fields named in `errors`.",
        example={"errors": [{"field": "quantity", "code": "min_value", "detail": "At least 1."}]},
    ),
    "length_required": Problem(411, "How long the body is was not said.", "Send Content-Length, not chunks."),
    "method_not_allowed": Problem(405, "This path has no such method.", "The Allow header lists those it has."),
    "not_acceptable": Problem(406, "There is no such representation.", "Accept application/json."),
    "not_authenticated": Problem(401, "Nobody is signed in.", "Send Authorization: Bearer TOKEN."),
    "not_found": Problem(404, "There is nothing here.", "Check the path; /docs lists them all."),
    "page_not_found": Problem(
        404, "There is no such page.", "Follow `next` and `previous`, or begin again without cursor and page."
    ),
    "parse_error": Problem(400, "The body is not the JSON that we read.", "The detail says where it goes wrong."),
    "permission_denied": Problem(
        403,
        "You may not do that.",
        "Ask an operator; staff ask an administrator for the permission that `permission` names.",
        example={"permission": "payments.refund_payment"},
    ),
    "request_timeout": Problem(
        408, "The body of the request did not arrive in time.", "Send it again, all of it at once."
    ),
    "throttled": Problem(429, "Too many requests.", "Try again after Retry-After seconds."),
    "unsupported_media_type": Problem(
        415, "The body is of another media type.", "Send Content-Type: application/json."
    ),
}
