"""The notes that operators write about an order."""

from django.db import models

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField

LONGEST_NOTE = 1000


class OrderNote(models.Model):
    """A note about an order, for operators only. Notes are only added."""

    order = models.ForeignKey("Order", on_delete=models.CASCADE, related_name="notes")
    author = CharField(max_length=150)
    text = CharField(max_length=LONGEST_NOTE)
    at = models.DateTimeField(default=DatabaseNow, editable=False)

    class Meta:
        db_table = "order_notes"
        permissions = [("note_order", "Can add a note to an order")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text}"
