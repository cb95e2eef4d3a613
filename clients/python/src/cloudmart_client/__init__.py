"""The Python client of CloudMart's API.

    from cloudmart_client import CloudMart

    with CloudMart("https://shop.example.com", token) as shop:
        order = shop.orders.place([{"book_id": "book-123", "quantity": 1}])

Errors are in `cloudmart_client.errors`, one class per problem in `cloudmart_client.problems`, responses in
`cloudmart_client.models`, and the verification of webhooks in `cloudmart_client.webhooks`.
"""

from cloudmart_client.client import CloudMart
from cloudmart_client.errors import CloudMartError, ConnectionFailed, NotFinished, Problem, UnexpectedResponse
from cloudmart_client.inputs import AddressParts, Item
from cloudmart_client.transport import Retries

__all__ = [
    "AddressParts",
    "CloudMart",
    "CloudMartError",
    "ConnectionFailed",
    "Item",
    "NotFinished",
    "Problem",
    "Retries",
    "UnexpectedResponse",
]
