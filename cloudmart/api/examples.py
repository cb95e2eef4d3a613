"""Examples for the API's documentation: what those of every context share."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

ORDER = "01a1fc13-06f4-71f7-ac05-df3857a063f2"

CREATED, FINISHED = "2026-11-21T09:00:00.878752Z", "2026-11-21T09:00:00.893904Z"

HOME = {"postal_code": "150-0001", "address": "東京都渋谷区神宮前1-2-3", "country": "JP"}


def request_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def response_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True)


WHOLE_ORDER = request_example("The order", {"order_id": ORDER})

NOTHING = request_example("Nothing more", {})
