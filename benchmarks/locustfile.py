"""Users for a load of your own, with Locust: they order in either style, look, cancel, and put drafts together.

Each of them thinks between two requests. They share a customer's API token, TOKEN in the environment. They order the
books whose codes are in BOOKS, as long as there are copies. A refusal that the API foresees, such as a book that is
sold out or a payment that is declined, is no failure: the statistics show it in a line of its own.
"""

import os
import random
from typing import Any

from locust import FastHttpUser, between, task

BOOKS = os.environ.get("BOOKS", "book-123,book-789").split(",")
STYLES = ("orchestration", "choreography")
FORESEEN = (402, 404, 409)
DECLINED = 0.05
"""The share of the orders whose payment is declined, on a server that allows magic payment tokens."""
KEPT = 20
"""The latest orders that a user may look at or cancel."""


class Customer(FastHttpUser):
    """A customer of the shop."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        self.headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
        self.orders: list[str] = []

    @task(10)
    def place_order(self) -> None:
        style = random.choice(STYLES)
        order = {"book_id": random.choice(BOOKS), "quantity": 1, "saga": style, **self.payment()}
        self.keep(self.send("POST", "/orders", order, name=f"/orders ({style})"))

    @task(5)
    def look(self) -> None:
        self.send("GET", "/orders")
        self.send("GET", f"/inventory/{random.choice(BOOKS)}", name="/inventory/{book_id}")
        if self.orders:
            order_id = random.choice(self.orders)
            self.send("GET", f"/orders/{order_id}", name="/orders/{order_id}")
            self.send("GET", f"/saga/{order_id}/status", name="/saga/{order_id}/status")

    @task(1)
    def cancel(self) -> None:
        if self.orders:
            order_id = self.orders.pop()
            self.send("POST", f"/orders/{order_id}/cancel", {}, name="/orders/{order_id}/cancel")

    @task(2)
    def order_by_draft(self) -> None:
        draft = self.send("POST", "/orders", {"saga": random.choice(STYLES)}, name="/orders (draft)")
        if not draft:
            return
        path = f"/orders/{draft['order_id']}"
        item = {"book_id": random.choice(BOOKS), "quantity": 1}
        if self.send("POST", f"{path}/items", item, name="/orders/{order_id}/items"):
            self.keep(self.send("POST", f"{path}/confirm", self.payment(), name="/orders/{order_id}/confirm"))
        else:
            self.send("DELETE", path, name="/orders/{order_id}")

    def payment(self) -> dict[str, str]:
        token = "tok_insufficient_funds" if random.random() < DECLINED else "tok_ok"
        return {"payment_method": "credit_card", "payment_token": token}

    def keep(self, order: dict[str, Any]) -> None:
        if order:
            self.orders = [*self.orders, order["order_id"]][-KEPT:]

    def send(self, method: str, path: str, body: Any = None, name: str | None = None) -> dict[str, Any]:
        """Returns the body of a 2xx response, or else nothing. A foreseen refusal is counted by its problem code."""
        name = name or path
        with self.client.request(
            method, path, json=body, headers=self.headers, name=name, catch_response=True
        ) as response:
            content = response.json() if response.content else {}
            if response.status_code in FORESEEN:
                response.request_meta["name"] = f"{name}: {content['code']}"
                response.success()
                return {}
            return content if response.ok else {}
