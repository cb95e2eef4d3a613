"""The problems of a request or of the server, whatever is asked."""

from cloudmart.api.catalogue.problem import Problem
from cloudmart.api.examples import ORDER

PROBLEMS = {
    "authentication_failed": Problem(
        401, "Send a valid token: Authorization: Bearer TOKEN.", "The token is wrong or has expired."
    ),
    "body_too_large": Problem(413, "Send a smaller body; the detail states the limit.", "The body is too large."),
    "busy": Problem(
        503,
        "Send the request again after Retry-After seconds, with its Idempotency-Key if it had one. Without a key, "
        "look up the `order_id` first, if there is one: do not place that order again.",
        "The server is too busy.",
        retry_after=1,
    ),
    "charset_not_supported": Problem(
        400,
        "Send UTF-8, with Content-Type: application/json and no charset.",
        "The Content-Type names a charset that is not UTF-8.",
    ),
    "database_unavailable": Problem(
        503,
        "Send the request again after Retry-After seconds with the same Idempotency-Key: nothing is done twice. "
        "Without a key, look up the `order_id` first, if there is one: do not place that order again.",
        "The database cannot be reached or cannot write now. The request may or may not have been carried out.",
        retry_after=5,
    ),
    "conflict": Problem(
        409,
        "Read the resource again, then repeat the request.",
        "The request conflicts with a change that was made at the same time.",
        retry_after=1,
    ),
    "error": Problem(400, "Check the Host header and the URL.", "The request is malformed."),
    "idempotency_key_in_use": Problem(
        409,
        "Send the request again, with the same key, after Retry-After seconds. `order_id`, if present, is its order.",
        retry_after=1,
    ),
    "idempotency_key_malformed": Problem(400, "Send 1 to 255 characters, such as a UUID."),
    "idempotency_key_reused": Problem(422, "Make a new key for each new request."),
    "internal_error": Problem(
        500,
        "Try again. If the error persists, report the `error_id`, which is in the server's log.",
        "An unexpected error occurred.",
        example={"error_id": "5f1c6f0a2b7e4d6c9a3b8e7d6c5b4a39"},
    ),
    "order_in_doubt": Problem(
        500,
        "Look the order up with GET /orders/{order_id}; place it again only if the response is 404. If the order "
        "exists, its saga continues by itself. A cancellation may be repeated. The `error_id` is in the server's log.",
        "An unexpected error occurred after the order was accepted.",
        example={"order_id": ORDER, "error_id": "5f1c6f0a2b7e4d6c9a3b8e7d6c5b4a39"},
    ),
    "invalid": Problem(
        400,
        "Correct the fields named in `errors`.",
        "The request is not valid.",
        example={"errors": [{"field": "quantity", "code": "min_value", "detail": "At least 1."}]},
    ),
    "invalid_signature": Problem(
        401,
        "Sign the body by the Standard Webhooks scheme, with the shop's secret and the time of sending.",
        "The signature of the webhook is missing, wrong, or too old.",
    ),
    "length_required": Problem(
        411, "Send Content-Length instead of a chunked body.", "The length of the body is missing."
    ),
    "method_not_allowed": Problem(
        405, "Use a method that the Allow header lists.", "This path does not support the method."
    ),
    "not_acceptable": Problem(406, "Accept application/json.", "The response has no such representation."),
    "not_authenticated": Problem(401, "Send Authorization: Bearer TOKEN.", "The request has no credentials."),
    "not_found": Problem(404, "Check the path; /docs lists every path.", "There is nothing at this path."),
    "page_not_found": Problem(404, "Follow `next` and `previous`, or start again without cursor and page."),
    "parse_error": Problem(400, "Correct the JSON; the detail states the error.", "The body is not valid JSON."),
    "permission_denied": Problem(
        403,
        "Ask an operator. Staff can ask an administrator for the `permission`.",
        example={"permission": "payments.refund_payment"},
    ),
    "request_timeout": Problem(
        408, "Send the request again, without pauses.", "The body of the request did not arrive in time."
    ),
    "throttled": Problem(429, "Try again after Retry-After seconds.", "Too many requests."),
    "unsupported_media_type": Problem(
        415, "Send Content-Type: application/json.", "The media type of the body is not supported."
    ),
}
