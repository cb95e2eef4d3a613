"""Tables of the batches: a command on many orders, which workers run one after another."""

from django.db import models

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.text import LONGEST_ERROR, LONGEST_REASON


class Batch(models.Model):
    """A command that an operator has given for many orders."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    command = CharField(max_length=16)
    actor = CharField(max_length=150)
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    language = CharField(max_length=16, help_text="In which its results are written: the operator's")
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)

    class Meta:
        db_table = "batches"
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return f"{self.command} by {self.actor}"


class BatchItem(models.Model):
    """One order of a batch. It is pending until it has a result."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items", db_index=False)
    order_id = models.UUIDField()
    result = CharField(max_length=16, blank=True, help_text="How the command has ended for this order")
    text = CharField(max_length=LONGEST_ERROR, blank=True, help_text="What it has done")
    due_at = models.DateTimeField(
        default=DatabaseNow, help_text="When a worker may run it; while one does, the end of its lease"
    )
    fence = models.PositiveIntegerField(default=0, help_text="How often a worker has acquired its lease")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "batch_items"
        constraints = [models.UniqueConstraint(fields=["batch", "order_id"], name="one_item_per_order")]
        indexes = [models.Index(fields=["result", "due_at"], name="batch_items_due")]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.result or 'pending'}"
