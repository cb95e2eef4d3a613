"""The outbox: events that leave the shop, recorded in the transaction that decides them, and who receives them."""
