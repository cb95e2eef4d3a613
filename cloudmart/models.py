"""What every context shares in the database: the idempotency keys of the HTTP API."""

from datetime import datetime

from django.db import models

from cloudmart.database.fields import CharField


class IdempotencyKey(models.Model):
    """One use of an Idempotency-Key by one principal, and the answer that a repeat gets."""

    read_at: datetime
    """Not stored: what time it was by the database's clock when it was looked up."""

    scope = CharField(max_length=64, unique=True, help_text="SHA-256 over principal and key, in hex")
    fingerprint = CharField(max_length=64, help_text="SHA-256 over method, path and canonical body, in hex")
    order_id = models.UUIDField(null=True, help_text="The order that the request led to")
    status_code = models.PositiveSmallIntegerField(null=True, help_text="Null while the request runs")
    body = models.TextField(blank=True, help_text="JSON, to be sent again as it is")
    location = CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "idempotency_keys"

    def __str__(self) -> str:
        return self.scope

    @property
    def is_open_order(self) -> bool:
        """Whether it leads to an order that has not ended: such a key outlives its time."""
        return self.order_id is not None and self.status_code is None
