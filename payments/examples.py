"""Examples of charges and refunds."""

from typing import Any

from cloudmart.api.examples import CREATED, FINISHED, ORDER, request_example

CHARGE = request_example(
    "A card", {"order_id": ORDER, "amount": 3850, "payment_method": "credit_card", "payment_token": "tok_ok"}
)

REFUNDS = [
    request_example("The whole remaining amount", {"order_id": ORDER}),
    request_example("A part", {"order_id": ORDER, "amount": 500, "reference": "return-1", "reason": "A torn page"}),
]

PAYMENT_EXAMPLE: dict[str, Any] = {
    "payment_id": "01a1fc13-06f7-7190-8318-6189e268d520",
    "order_id": ORDER,
    "amount": 3850,
    "refunded_amount": 500,
    "payment_method": "credit_card",
    "status": "captured",
    "transaction_id": "txn_7cb04134cc9999bd1345",
    "failure": None,
    "refunds": [
        {
            "refund_id": "01a1fc13-06f8-7190-8318-6189e268d520",
            "reference": "return-1",
            "amount": 500,
            "reason": "A torn page",
            "status": "refunded",
            "transaction_id": "re_f0dd0a8da67e8e8fde5f",
            "created_at": CREATED,
        }
    ],
    "created_at": CREATED,
    "updated_at": FINISHED,
}
