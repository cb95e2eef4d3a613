"""The stream in Redis: what the outbox has for it, and the events of the sagas, as CloudEvents in partitions."""
