"""The stories of the shop, as the API's documentation tells them."""

from drf_spectacular.utils import OpenApiExample

ONE_BOOK = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}

ORDERS = [
    OpenApiExample("One book", ONE_BOOK, request_only=True),
    OpenApiExample(
        "Several books, at the prices that were shown",
        {
            "items": [
                {"book_id": "book-123", "quantity": 1, "price": 3500},
                {"book_id": "book-789", "quantity": 2, "price": 2800},
            ],
            "payment_method": "e_money",
        },
        request_only=True,
    ),
    OpenApiExample("In the other style", {**ONE_BOOK, "saga": "choreography"}, request_only=True),
    OpenApiExample(
        "To another address, by a provider that fails twice",
        {
            **ONE_BOOK,
            "payment_token": "tok_unavailable_2",
            "shipping_address": {"postal_code": "530-0001", "address": "大阪府大阪市北区梅田4-5-6"},
        },
        request_only=True,
    ),
]
